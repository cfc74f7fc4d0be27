import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { KMS } from '@aws-sdk/client-kms';
import type { EmulatedEnclave, Emulator } from '@nitro-enclaves/emulator';
import { startEmulator } from '@nitro-enclaves/emulator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  commandOf,
  commandsIn,
  runCommands,
  scratchFolder,
  untilListening,
} from '../../../test/examples/running-example.ts';
import { SIGNER_PORT } from '../src/application.ts';
import type { TrailEntry } from '../src/audit-trail.ts';
import { hashOf, verifyTrail } from '../src/audit-trail.ts';
import type { AttestedSigner } from '../src/client.ts';
import { verifySignature, verifySigner } from '../src/client.ts';
import type { ParentApi } from '../src/parent-api.ts';
import { startParentApi } from '../src/parent-api.ts';

const REGION = 'eu-west-1';
const ACCOUNT = '111122223333';
const KEY_ID = '11111111-2222-4333-8444-555555555501';
const INVOICE = { number: 17, total: '12.50', lines: ['bread', 'Brötchen'] };

const folder = scratchFolder();
let command: readonly string[];
let emulator: Emulator;
let enclave: EmulatedEnclave;
let api: ParentApi;

async function launch(
  options: { readonly debugMode?: boolean; readonly purposes?: string } = {},
): Promise<EmulatedEnclave> {
  const environment = {
    AWS_REGION: REGION,
    SEALING_KEY_ARN: `arn:aws:kms:${REGION}:${ACCOUNT}:key/${KEY_ID}`,
    PURPOSES: options.purposes ?? 'invoices,releases',
    CREDENTIALS_TOKEN: 'what the parent has granted',
  };
  const started = await emulator.runEnclave({ command, environment, debugMode: options.debugMode ?? false });
  await untilListening(emulator, started, SIGNER_PORT);
  return started;
}

const startApi = (cid: number) => startParentApi({ transport: emulator.transport, cid, folder: folder.path });

/** Only the first image may use the key, from its start on. */
async function limitKeyTo({ Measurements }: ReturnType<EmulatedEnclave['describe']>): Promise<void> {
  if (emulator.kms === undefined) throw new Error('expected an emulator with a KMS');
  const { endpoint, credentials, ca } = emulator.kms;
  const owner = new KMS({ region: REGION, endpoint, credentials, requestHandler: { httpsAgent: new Agent({ ca }) } });
  const Action = ['kms:Decrypt', 'kms:GenerateDataKeyPair'];
  const common = { Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${ACCOUNT}:root` }, Resource: '*' };
  const Condition = { StringEqualsIgnoreCase: { 'kms:RecipientAttestation:PCR0': Measurements.PCR0 } };
  const Statement = [
    { ...common, NotAction: [...Action, 'kms:Encrypt'] },
    { ...common, Action, Condition },
  ];
  await owner.putKeyPolicy({ KeyId: KEY_ID, Policy: JSON.stringify({ Version: '2012-10-17', Statement }) });
  owner.destroy();
}

beforeAll(async () => {
  command = await commandOf('signer', folder.path);
  emulator = await startEmulator({ region: REGION, kms: { accountId: ACCOUNT, keys: [{ keyId: KEY_ID }] } });
  enclave = await launch();
  await limitKeyTo(enclave.describe());
  api = await startApi(enclave.cid);
}, 180_000);

afterAll(async () => {
  await api?.close();
  await emulator?.close();
  folder[Symbol.dispose]();
});

async function post(body: unknown): Promise<{ status: number; answer: Record<string, never> }> {
  const response = await fetch(`${api.url}/sign`, { method: 'POST', body: JSON.stringify(body) });
  return { status: response.status, answer: (await response.json()) as Record<string, never> };
}

async function sign(body: unknown): Promise<string> {
  const { status, answer } = await post(body);
  expect(status, JSON.stringify(answer)).toBe(200);
  return answer['signature'] ?? '';
}

async function trail(): Promise<TrailEntry[]> {
  const { entries } = (await (await fetch(`${api.url}/trail`)).json()) as { entries: TrailEntry[] };
  return entries;
}

async function attested(nonce = randomBytes(32)): Promise<AttestedSigner> {
  const response = await fetch(`${api.url}/attestation?nonce=${nonce.toString('hex')}`);
  const { document } = (await response.json()) as { document: string };
  const { PCR0, PCR1, PCR2 } = enclave.describe().Measurements;
  const images = [{ name: 'signer', pcrs: { 0: PCR0, 1: PCR1, 2: PCR2 } }];
  return verifySigner(Buffer.from(document, 'base64'), { images, nonce, emulatorRoot: emulator.rootCertificate });
}

describe('the signer, asked by HTTP', () => {
  it('signs a digest and a JSON value, and the attested key verifies both', async () => {
    const digest = createHash('sha256').update('a release').digest('hex');
    const [release, invoice] = [
      { purpose: 'releases', digest },
      { purpose: 'invoices', payload: INVOICE },
    ];
    const signatures = [await sign(release), await sign(invoice)];
    const signer = await attested();
    expect(signer.moduleId).toBe(enclave.enclaveId);
    verifySignature(release, signatures[0] ?? '', signer);
    const { lines, ...rest } = INVOICE;
    verifySignature({ purpose: 'invoices', payload: { lines, ...rest } }, signatures[1] ?? '', signer);
  });

  it('gives no signature that is one for something else', async () => {
    const signature = await sign({ purpose: 'invoices', payload: INVOICE });
    const signer = await attested();
    const digest = createHash('sha256').update('another').digest('hex');
    for (const request of [
      { purpose: 'releases', payload: INVOICE },
      { purpose: 'invoices', payload: { ...INVOICE, total: '1250' } },
      { purpose: 'invoices', digest },
    ]) {
      expect(() => verifySignature(request, signature, signer)).toThrow(expect.objectContaining({ code: 'SIGNATURE' }));
    }
  });

  it.each([
    ['no purpose', { payload: 1 }],
    ['a purpose with a line feed', { purpose: 'invoices\nsha256', payload: 1 }],
    ['neither digest nor payload', { purpose: 'invoices' }],
    ['both', { purpose: 'invoices', payload: 1, digest: '0'.repeat(64) }],
    ['half a digest', { purpose: 'invoices', digest: '0'.repeat(32) }],
    ['a digest in capitals', { purpose: 'invoices', digest: 'A'.repeat(64) }],
    ['a list', []],
    ['more than 64 KiB', { purpose: 'invoices', payload: 'x'.repeat(70_000) }],
  ])('refuses %s', async (_, body) => {
    expect(await post(body)).toMatchObject({ status: 400, answer: { error: { code: 'REQUEST_MALFORMED' } } });
  });

  it('refuses what is no JSON, what it has no route for, and short nonces', async () => {
    const answerOf = async (path: string, init: RequestInit = {}) => (await fetch(`${api.url}${path}`, init)).status;
    expect(await answerOf('/sign', { method: 'POST', body: '{' })).toBe(400);
    expect(await answerOf('/key', { method: 'POST', body: '{}' })).toBe(404);
    expect(await answerOf('/attestation?nonce=00')).toBe(400);
  });

  it('refuses a purpose that the image does not name, and writes that down', async () => {
    const refused = await post({ purpose: 'contracts', payload: INVOICE });
    expect(refused).toMatchObject({ status: 403, answer: { error: { code: 'PURPOSE_REFUSED' } } });
    expect((await trail()).at(-1)?.event).toMatchObject({ kind: 'refused', purpose: 'contracts' });
  });

  it('signs for many at once, each with its entry', async () => {
    const before = (await trail()).length;
    const requests = Array.from({ length: 12 }, (_, number) => ({ purpose: 'invoices', payload: { number } }));
    const signatures = await Promise.all(requests.map(sign));
    const signer = await attested();
    const entries = await trail();
    for (const [index, request] of requests.entries()) verifySignature(request, signatures[index] ?? '', signer);
    expect(entries).toHaveLength(before + 12);
    expect(verifyTrail(entries, signer)).toBe(entries.length);
  });
});

describe('the audit trail', () => {
  it('tells whatever the parent changes in it', async () => {
    await sign({ purpose: 'invoices', payload: INVOICE });
    const [signer, entries] = [await attested(), await trail()];
    expect(verifyTrail(entries, signer)).toBe(entries.length);

    const [first, second] = entries;
    if (first === undefined || second === undefined) expect.fail('expected entries');
    const codeOf = (changed: readonly TrailEntry[]) => {
      try {
        verifyTrail(changed, signer);
      } catch (error) {
        return (error as { code?: string }).code;
      }
      return 'accepted';
    };
    expect(codeOf(entries.slice(0, -1))).toBe('TRAIL_HEAD');
    expect(codeOf([])).toBe('TRAIL_HEAD');
    expect(codeOf(entries.slice(1))).toBe('TRAIL_SEQUENCE');
    expect(codeOf([second, first, ...entries.slice(2)])).toBe('TRAIL_SEQUENCE');
    expect(codeOf([{ ...first, time: '2020-01-01T00:00:00.000Z' }, ...entries.slice(1)])).toBe('TRAIL_SEAL');
    expect(codeOf([first, { ...second, previous: '0'.repeat(64) }, ...entries.slice(2)])).toBe('TRAIL_LINK');
    // Signatures of ECDSA have many forms: another seal of the same entry would be another trail.
    const resealed = { ...first, seal: second.seal };
    expect(codeOf([resealed, ...entries.slice(1)])).toBe('TRAIL_SEAL');
  });

  it('is what the folder of the parent holds', async () => {
    const lines = readFileSync(join(folder.path, 'trail.jsonl'), 'utf8').trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toStrictEqual(await trail());
  });
});

describe('another start', () => {
  it('opens the same key, and goes on with the trail', async () => {
    const [signer, before] = [await attested(), await trail()];
    const signature = await sign({ purpose: 'invoices', payload: INVOICE });
    await api.close();
    await enclave.terminate();
    enclave = await launch();
    api = await startApi(enclave.cid);

    const again = await attested();
    expect(again.publicKey.equals(signer.publicKey)).toBe(true);
    verifySignature({ purpose: 'invoices', payload: INVOICE }, signature, again);
    const entries = await trail();
    expect(entries.slice(0, before.length)).toStrictEqual(before);
    expect(entries.at(-1)).toMatchObject({ event: { kind: 'start', moduleId: enclave.enclaveId } });
    expect(verifyTrail(entries, again)).toBe(entries.length);
  });

  it('of the API alone changes nothing in the enclave, and loses no entry', async () => {
    const entries = await trail();
    await api.close();
    api = await startApi(enclave.cid);
    expect(await trail()).toStrictEqual(entries);
    expect(hashOf(entries.at(-1) ?? expect.fail('expected entries'))).toBe((await attested()).head);
  });

  it('gives the key to no other image, and to none in debug mode', async () => {
    for (const options of [{ purposes: 'invoices,contracts' }, { debugMode: true }]) {
      const other = await launch(options);
      await expect(startApi(other.cid)).rejects.toThrow('AccessDenied');
      await other.terminate();
    }
  });

  it('begins no other trail for a key that was used', async () => {
    using other = scratchFolder();
    const last = (await trail()).at(-1) ?? expect.fail('expected entries');
    const sealedKey = readFileSync(join(folder.path, 'sealed-key'), 'utf8');
    const fresh = await launch();
    const startIn = () => startParentApi({ transport: emulator.transport, cid: fresh.cid, folder: other.path });

    writeFileSync(join(other.path, 'sealed-key'), sealedKey);
    await expect(startIn()).rejects.toThrow('found one of them');
    writeFileSync(join(other.path, 'trail.jsonl'), '');
    await expect(startIn()).rejects.toThrow('TRAIL_MISSING');
    writeFileSync(join(other.path, 'trail.jsonl'), JSON.stringify({ ...last, sequence: 0 }));
    await expect(startIn()).rejects.toThrow('TRAIL_SEAL');
    await fresh.terminate();
  });
});

describe('a client', () => {
  it('trusts no replayed document, and no other image', async () => {
    const nonce = randomBytes(32);
    const response = await fetch(`${api.url}/attestation?nonce=${nonce.toString('hex')}`);
    const { document } = (await response.json()) as { document: string };
    const bytes = Buffer.from(document, 'base64');
    const { PCR0, PCR1, PCR2 } = enclave.describe().Measurements;
    const checks = { nonce, emulatorRoot: emulator.rootCertificate, images: [{ pcrs: { 0: PCR0, 1: PCR1, 2: PCR2 } }] };
    await verifySigner(bytes, checks);
    await expect(verifySigner(bytes, { ...checks, nonce: randomBytes(32) })).rejects.toMatchObject({
      code: 'NONCE_MISMATCH',
    });
    const images = [{ pcrs: { 0: 'a0'.repeat(48), 1: PCR1, 2: PCR2 } }];
    await expect(verifySigner(bytes, { ...checks, images })).rejects.toMatchObject({ name: 'PolicyError' });
    const { emulatorRoot: _, ...withoutRoot } = checks;
    await expect(verifySigner(bytes, withoutRoot)).rejects.toMatchObject({ code: 'TRUST_ANCHOR' });
  });
});

/** A port of this machine that nobody has, as far as can be told. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

describe('the README', () => {
  it('signs and verifies by its commands', { timeout: 180_000 }, async (context) => {
    if (spawnSync('curl', ['--version']).status !== 0) context.skip('needs curl (apt-get install curl)');
    const { status, stdout, stderr } = runCommands(`PORT=${await freePort()}\n${commandsIn('signer', 'walk-through')}`);
    expect(status, stdout + stderr).toBe(0);
    expect(stdout).toContain('"signature":');
    expect(stdout).toMatch(/^verified: i-\S+-enc\S+ of the image, 2 entries of its trail$/m);
    expect(stdout).toContain('BEGIN PUBLIC KEY');
  });
});
