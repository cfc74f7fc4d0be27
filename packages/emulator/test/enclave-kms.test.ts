import { CreateKeyCommand } from '@aws-sdk/client-kms';
import type { EmulatedEnclave, Emulator, Faults } from '@nitro-enclaves/emulator';
import { startEmulator } from '@nitro-enclaves/emulator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { application, ask } from './application.ts';
import { clientOf } from './kms/sdk.ts';

const HOUR = 3_600_000;

let emulator: Emulator;
let enclave: EmulatedEnclave;
let keyId: string;

/** Creates a key that the parent's role may use with documents of this image only. */
async function createKeyFor(PCR0: string): Promise<string> {
  const { kms } = emulator;
  if (kms === undefined) throw new Error('expected a KMS');
  const administrator = `arn:aws:iam::${kms.accountId}:root`;
  const Policy = JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Principal: { AWS: administrator },
        Action: ['kms:CreateKey', 'kms:PutKeyPolicy'],
        Resource: '*',
      },
      {
        Effect: 'Allow',
        Principal: { AWS: `arn:aws:iam::${kms.accountId}:role/enclave-parent` },
        Action: ['kms:GenerateDataKey', 'kms:Decrypt'],
        Resource: '*',
        Condition: { StringEqualsIgnoreCase: { 'kms:RecipientAttestation:ImageSha384': PCR0 } },
      },
    ],
  });
  const client = clientOf(kms);
  const { KeyMetadata } = await client.send(new CreateKeyCommand({ Policy }));
  client.destroy();
  return KeyMetadata?.Arn ?? '';
}

beforeAll(async () => {
  emulator = await startEmulator({ seed: 'kms' });
  enclave = await emulator.runEnclave(application());
  keyId = await createKeyFor(enclave.describe().Measurements.PCR0);
});
afterAll(() => emulator.close());

function dataKey(of: EmulatedEnclave = enclave): Promise<{ error?: string; length?: number; same?: boolean }> {
  return ask(emulator, of, { ask: 'data-key', keyId, region: 'us-east-1' });
}

async function withFaults<T>(faults: Faults, body: () => Promise<T>): Promise<T> {
  emulator.faults.set(faults);
  try {
    return await body();
  } finally {
    emulator.faults.clear();
  }
}

describe('an enclave and KMS, with the unmodified AWS SDK', () => {
  it('gets a data key through its parent, with credentials of its parent', async () => {
    expect(await dataKey()).toEqual({ length: 32, same: true });
  });

  it('is denied in debug mode, and so is another image', async () => {
    const debug = await emulator.runEnclave(application({ debugMode: true }));
    expect(await dataKey(debug)).toEqual({ error: 'AccessDeniedException' });
    await debug.terminate();
    const other = await emulator.runEnclave(application({ environment: { OTHER: 'image' } }));
    expect(await dataKey(other)).toEqual({ error: 'AccessDeniedException' });
    await other.terminate();
  });

  it.each<[string, Faults]>([
    ['a document of an hour ago', { nsm: [{ kind: 'stale-document', ageMs: HOUR }] }],
    ['a document of another enclave', { nsm: [{ kind: 'foreign-document' }] }],
    ['a document of another PKI', { nsm: [{ kind: 'foreign-root' }] }],
    ['a document that nobody signed', { nsm: [{ kind: 'unsigned-document' }] }],
    ['an NSM that errs', { nsm: [{ kind: 'error', error: 'InternalError' }] }],
    ['credentials that have expired', { parent: [{ kind: 'expired-credentials' }] }],
    ['no credentials', { parent: [{ kind: 'no-credentials' }] }],
    ['a parent that cuts what it forwards', { transport: [{ kind: 'drop', bytes: 600, port: 8000 }] }],
    ['a parent that ends what it forwards', { transport: [{ kind: 'truncate', bytes: 600, port: 8000 }] }],
    ['a parent that corrupts what it forwards', { transport: [{ kind: 'corrupt', at: 700, port: 8000 }] }],
    ['a parent that swaps what it forwards', { transport: [{ kind: 'swap', bytes: 300, port: 8000 }] }],
    ['a parent that replays what it forwards', { transport: [{ kind: 'replay', bytes: 300, port: 8000 }] }],
    ['a KMS that throttles', { kms: [{ kind: 'throttle' }] }],
    ['a KMS that fails', { kms: [{ kind: 'server-error', status: 503 }] }],
    ["another key's answer", { kms: [{ kind: 'other-key' }] }],
    ['an answer in the clear', { kms: [{ kind: 'no-ciphertext-for-recipient' }] }],
  ])('gets no key with %s, and one again when the fault has ended', async (_, faults) => {
    const { error, length } = await withFaults(faults, () => dataKey());
    expect(error).toEqual(expect.any(String));
    expect(length).toBeUndefined();
    expect(await dataKey()).toEqual({ length: 32, same: true });
  });
});

describe("the parent's credentials", () => {
  const credentials = () => ask(emulator, enclave, { ask: 'credentials' });

  it('end in some hours, and stay the same until shortly before', async () => {
    const first = await credentials();
    expect(first.accessKeyId).toMatch(/^ASIA[0-9A-F]{16}$/);
    expect(first.expiration).toBeGreaterThan(Date.now() + HOUR);
    expect(await credentials()).toEqual(first);
  });

  it('end at a time that is wrong when the parent lies about the time', async () => {
    const truth = await credentials();
    const lie = await withFaults({ parentClockOffsetMs: 24 * HOUR }, credentials);
    expect(lie).toEqual({ ...truth, expiration: truth.expiration + 24 * HOUR });
  });
});
