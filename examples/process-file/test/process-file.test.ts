import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { KMS } from '@aws-sdk/client-kms';
import type { EmulatedEnclave, Emulator } from '@nitro-enclaves/emulator';
import { startEmulator } from '@nitro-enclaves/emulator';
import type { DataEncryption } from '@nitro-enclaves/kms';
import { dataEncryption } from '@nitro-enclaves/kms';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleEntry, commandOf, scratchFolder, untilListening } from '../../../test/examples/running-example.ts';
import type { ResultChecks } from '../src/index.ts';
import { APPLICATION_PORT, freshNonce, INPUT_CONTEXT, openResult, PAYMENTS_HEADER, submit } from '../src/index.ts';

const REGION = 'eu-west-1';
const ACCOUNT = '111122223333';
const [INPUT_KEY_ID, RESULT_KEY_ID, OTHER_KEY_ID] = [1, 2, 3].map(
  (last) => `11111111-2222-4333-8444-55555555550${last}`,
);
const arnOf = (keyId: string | undefined) => `arn:aws:kms:${REGION}:${ACCOUNT}:key/${keyId}`;

const ROWS = [
  'p1,2026-11-25T12:00:00Z,bakery,450',
  'p2,2026-11-25T12:00:01Z,books,1999',
  'p3,2026-11-25T12:00:02Z,bakery,550',
  'a row that is none',
];
const FILE = Buffer.from(`${PAYMENTS_HEADER}\n${ROWS.join('\n')}\n`);

const folder = scratchFolder();
let emulator: Emulator;
let enclave: EmulatedEnclave;
let owner: KMS;
let inputs: DataEncryption;
let results: DataEncryption;

beforeAll(async () => {
  const keys = [INPUT_KEY_ID, RESULT_KEY_ID, OTHER_KEY_ID].map((keyId) => ({ keyId: keyId ?? '' }));
  emulator = await startEmulator({ region: REGION, kms: { accountId: ACCOUNT, keys } });
  enclave = await emulator.runEnclave({
    command: await commandOf('process-file', folder.path),
    environment: {
      AWS_REGION: REGION,
      INPUT_KEY_ARN: arnOf(INPUT_KEY_ID),
      RESULT_KEY_ARN: arnOf(RESULT_KEY_ID),
      CREDENTIALS_TOKEN: 'what the parent has granted',
    },
  });
  await untilListening(emulator, enclave, APPLICATION_PORT);
  if (emulator.kms === undefined) throw new Error('expected an emulator with a KMS');
  const { endpoint, credentials, ca } = emulator.kms;
  owner = new KMS({ region: REGION, endpoint, credentials, requestHandler: { httpsAgent: new Agent({ ca }) } });
  inputs = dataEncryption({ client: owner, keyArn: arnOf(INPUT_KEY_ID) });
  results = dataEncryption({ client: owner, keyArn: arnOf(RESULT_KEY_ID) });
}, 180_000);

afterAll(async () => {
  owner?.destroy();
  await emulator?.close();
  folder[Symbol.dispose]();
});

const sealed = (context: Record<string, string> = INPUT_CONTEXT, encryption = inputs): Promise<Buffer> =>
  buffer(Readable.from([FILE]).pipe(encryption.encryptStream({ context })));

const send = (message: Uint8Array, nonce = freshNonce()) =>
  submit(emulator.transport, enclave.cid, Readable.from([message]), nonce);

function checksFor(nonce: Uint8Array): ResultChecks {
  const { PCR0, PCR1, PCR2 } = enclave.describe().Measurements;
  const images = [{ name: 'process-file', pcrs: { 0: PCR0, 1: PCR1, 2: PCR2 } }];
  return { images, emulatorRoot: emulator.rootCertificate, nonce, results };
}

describe('process-file', () => {
  it('gives the summary of an encrypted file, sealed, signed and attested', async () => {
    const nonce = freshNonce();
    const answer = await send(await sealed(), nonce);
    expect(Buffer.from(answer.message).includes('bakery')).toBe(false);
    const { summary, document } = await openResult(answer, checksFor(nonce));
    expect(summary).toStrictEqual({
      rows: 3,
      rejectedRows: 1,
      cents: 2999,
      merchants: [
        { merchant: 'books', payments: 1, cents: 1999 },
        { merchant: 'bakery', payments: 2, cents: 1000 },
      ],
      outliers: [],
    });
    expect(document.moduleId).toBe(enclave.enclaveId);
  });

  it('refuses a file for another purpose', async () => {
    await expect(send(await sealed({ purpose: 'refunds' }))).rejects.toMatchObject({ code: 'CONTEXT_MISMATCH' });
  });

  it('refuses a file under another key', async () => {
    const strangers = dataEncryption({ client: owner, keyArn: arnOf(OTHER_KEY_ID) });
    await expect(send(await sealed(INPUT_CONTEXT, strangers))).rejects.toMatchObject({ code: 'MESSAGE_REFUSED' });
  });

  it.each([1, 40, 200])('refuses a file that was cut off %i bytes before its end', async (missing) => {
    const message = await sealed();
    await expect(send(message.subarray(0, -missing))).rejects.toMatchObject({ code: 'MESSAGE_REFUSED' });
  });

  it('refuses a file with one changed bit', async () => {
    const message = await sealed();
    const at = message.length - 100;
    message[at] = (message[at] ?? 0) ^ 1;
    await expect(send(message)).rejects.toMatchObject({ code: 'MESSAGE_REFUSED' });
  });

  it('refuses a request without a nonce', async () => {
    await expect(send(await sealed(), Buffer.alloc(4096))).rejects.toMatchObject({ code: 'FAILED' });
  });

  it('still serves after all that it refused', async () => {
    const nonce = freshNonce();
    const { summary } = await openResult(await send(await sealed(), nonce), checksFor(nonce));
    expect(summary.rows).toBe(3);
  });
});

describe('a client', () => {
  it('does not take the answer to another request, replayed', async () => {
    const answer = await send(await sealed());
    await expect(openResult(answer, checksFor(freshNonce()))).rejects.toMatchObject({ code: 'NONCE_MISMATCH' });
  });

  it('does not take the result of another request under this document', async () => {
    const [nonce, other] = [freshNonce(), freshNonce()];
    const [answer, another] = [await send(await sealed(), nonce), await send(await sealed(), other)];
    const mixed = { ...answer, message: another.message };
    await expect(openResult(mixed, checksFor(nonce))).rejects.toMatchObject({ code: 'USER_DATA_MISMATCH' });
    const signature = Buffer.from(answer.signature);
    signature[8] = (signature[8] ?? 0) ^ 1;
    await expect(openResult({ ...answer, signature }, checksFor(nonce))).rejects.toThrow('signed by the attested key');
  });

  it('does not take what another image says', async () => {
    const nonce = freshNonce();
    const images = [{ name: 'another', pcrs: { 0: 'a0'.repeat(48), 1: 'a1'.repeat(48), 2: 'a2'.repeat(48) } }];
    const opening = openResult(await send(await sealed(), nonce), { ...checksFor(nonce), images });
    await expect(opening).rejects.toMatchObject({ name: 'PolicyError' });
  });

  it('does not trust the emulator unless told to', async () => {
    const nonce = freshNonce();
    const { emulatorRoot: _, ...checks } = checksFor(nonce);
    await expect(openResult(await send(await sealed(), nonce), checks)).rejects.toMatchObject({ code: 'TRUST_ANCHOR' });
  });
});

describe('the command of a sender', () => {
  let program: string;
  beforeAll(async () => {
    program = await bundleEntry('process-file', 'send', folder.path);
  });

  async function run(...args: readonly string[]) {
    const { endpoint, credentials, ca } = emulator.kms ?? expect.fail('expected a KMS');
    writeFileSync(join(folder.path, 'ca.pem'), ca);
    const env = {
      AWS_REGION: REGION,
      AWS_ENDPOINT_URL_KMS: endpoint,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      NODE_EXTRA_CA_CERTS: join(folder.path, 'ca.pem'),
      NODE_NO_WARNINGS: '1',
    };
    const child = spawn(process.execPath, [program, ...args], { env });
    const [out, err] = [text(child.stdout), text(child.stderr)];
    const status = await new Promise((resolve) => child.once('close', resolve));
    return { status, out: await out, err: await err };
  }

  function argumentsWith(PCR0: string): string[] {
    const { PCR1, PCR2 } = enclave.describe().Measurements;
    const [image, file] = [join(folder.path, 'image.json'), join(folder.path, 'payments.csv')];
    writeFileSync(image, JSON.stringify({ Measurements: { PCR0, PCR1, PCR2 } }));
    writeFileSync(file, FILE);
    const root = Buffer.from(emulator.rootCertificate).toString('base64');
    writeFileSync(
      join(emulator.folder, 'root.pem'),
      `-----BEGIN CERTIFICATE-----\n${root.replaceAll(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`,
    );
    const keys = ['--input-key', arnOf(INPUT_KEY_ID), '--result-key', arnOf(RESULT_KEY_ID)];
    return ['--cid', String(enclave.cid), '--image', image, ...keys, '--emulator', emulator.folder, file];
  }

  it('prints a verified summary', async () => {
    const { status, out, err } = await run(...argumentsWith(enclave.describe().Measurements.PCR0));
    expect(status, err).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ rows: 3, cents: 2999 });
    expect(err).toContain(enclave.enclaveId);
  });

  it('prints nothing of what another image made', async () => {
    const { status, out, err } = await run(...argumentsWith('a0'.repeat(48)));
    expect(status).toBe(1);
    expect(out).toBe('');
    expect(err).toContain('PolicyError');
  });

  it('says what it needs', async () => {
    expect(await run('payments.csv')).toMatchObject({ status: 2, err: expect.stringContaining('usage:') });
  });
});
