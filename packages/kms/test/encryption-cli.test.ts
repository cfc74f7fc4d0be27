import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { Agent } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { KMS } from '@aws-sdk/client-kms';
import type { EmulatedKms } from '@nitro-enclaves/emulator';
import { createNitroPki, startEmulatedKms } from '@nitro-enclaves/emulator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DataEncryption } from '../src/index.ts';
import { dataEncryption } from '../src/index.ts';

interface Recorded {
  readonly writtenBy: string;
  readonly plaintext: string;
  /** Base64, by the options with which they were written. */
  readonly messages: Record<string, string>;
}

const KEY_ID = '5e1f0000-2222-4333-8444-555555555555';
const KEY_ARN = `arn:aws:kms:eu-west-1:111122223333:key/${KEY_ID}`;
/** A key of nobody's, so that messages recorded once open again. */
const material = Uint8Array.from({ length: 32 }, (_, index) => index);
const context = { purpose: 'payments' };
const COMMITTED = 'require-encrypt-require-decrypt';

const recorded: Recorded = JSON.parse(
  await readFile(new URL('./fixtures/aws-encryption-cli.json', import.meta.url), 'utf8'),
);
/** `aws-encryption-cli` of the PyPI package aws-encryption-sdk-cli, where there is one. */
const program = process.env['AWS_ENCRYPTION_CLI'];
const ifThere = program === undefined ? 'skipped: AWS_ENCRYPTION_CLI=path/to/aws-encryption-cli runs them' : program;

let server: EmulatedKms;
let client: KMS;
let data: DataEncryption;
let folder: string;

beforeAll(async () => {
  const { rootCertificate } = await createNitroPki({ seed: 'encryption cli' });
  server = await startEmulatedKms({
    region: 'eu-west-1',
    attestation: { roots: [rootCertificate] },
    keys: [{ keyId: KEY_ID, material }],
  });
  const { endpoint, region, credentials, ca } = server;
  client = new KMS({ endpoint, region, credentials, requestHandler: { httpsAgent: new Agent({ ca }) } });
  data = dataEncryption({ client, keyArn: KEY_ARN });
  folder = await mkdtemp(join(tmpdir(), 'kms-'));
});
afterAll(async () => {
  client.destroy();
  await server.close();
  await rm(folder, { recursive: true });
});

async function runCli(direction: '--encrypt' | '--decrypt', input: Uint8Array, more: string[] = []): Promise<Buffer> {
  const paths = { input: join(folder, 'input'), output: join(folder, 'output'), ca: join(folder, 'ca.pem') };
  await writeFile(paths.input, input);
  await writeFile(paths.ca, server.ca);
  const { accessKeyId, secretAccessKey } = server.credentials;
  const env = {
    ...process.env,
    AWS_ENDPOINT_URL_KMS: server.endpoint,
    AWS_CA_BUNDLE: paths.ca,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_DEFAULT_REGION: server.region,
  };
  const files = ['--input', paths.input, '--output', paths.output, '--suppress-metadata'];
  const rules = ['--wrapping-keys', `key=${KEY_ARN}`, '--encryption-context', 'purpose=payments'];
  const policy = ['--commitment-policy', COMMITTED];
  await promisify(execFile)(program ?? '', [direction, ...files, ...rules, ...policy, ...more], { env });
  const output = await readFile(paths.output);
  await rm(paths.output);
  return output;
}

describe(`messages of the AWS Encryption CLI (${recorded.writtenBy})`, () => {
  it.each(Object.entries(recorded.messages))('open here: %s', async (_, message) => {
    const opened = await data.decrypt(Buffer.from(message, 'base64'), { context });
    expect(new TextDecoder().decode(opened.plaintext)).toBe(recorded.plaintext);
    expect(opened.context).toMatchObject(context);
  });

  it.each(Object.entries(recorded.messages).filter(([options]) => options.includes('COMMIT_KEY')))(
    'open here as streams, unsigned ones: %s',
    async (_, message) => {
      const stream = Readable.from([Buffer.from(message, 'base64')]).pipe(data.decryptStream({ context }));
      expect((await buffer(stream)).toString()).toBe(recorded.plaintext);
    },
  );

  it.each(Object.entries(recorded.messages))('are refused with a byte more: %s', async (_, message) => {
    const more = Buffer.concat([Buffer.from(message, 'base64'), Buffer.of(0)]);
    await expect(data.decrypt(more, { context })).rejects.toMatchObject({ code: 'MESSAGE_REFUSED' });
  });
});

describe.skipIf(program === undefined)(`the AWS Encryption CLI (${ifThere})`, () => {
  it.each([0, 1, 65_536, 200_000])('opens %d bytes that were written here', { timeout: 120_000 }, async (size) => {
    const plaintext = Buffer.alloc(size, 'payments ');
    expect((await runCli('--decrypt', await data.encrypt(plaintext, { context }))).equals(plaintext)).toBe(true);
    const stream = Readable.from([plaintext]).pipe(data.encryptStream({ context }));
    expect((await runCli('--decrypt', await buffer(stream))).equals(plaintext)).toBe(true);
  });

  it.each([
    ['in frames', []],
    ['in one piece', ['--frame-length', '0']],
  ])('writes what opens here, %s', { timeout: 120_000 }, async (_, options) => {
    const plaintext = Buffer.alloc(200_000, 'payments ');
    const message = await runCli('--encrypt', plaintext, options);
    expect(Buffer.from((await data.decrypt(message, { context })).plaintext).equals(plaintext)).toBe(true);
  });
});
