import { createPrivateKey, createPublicKey } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import type { KMSClient, KMSClientConfig } from '@aws-sdk/client-kms';
import {
  DecryptCommand,
  DescribeKeyCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  GenerateDataKeyPairCommand,
  GenerateRandomCommand,
} from '@aws-sdk/client-kms';
import type { EmulatedKms, KmsFault, NitroPki } from '@nitro-enclaves/emulator';
import { createNitroPki, startEmulatedKms } from '@nitro-enclaves/emulator';
import { recipient } from '@nitro-enclaves/kms';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { documentOf, openForEnclave, recipientOf } from './enclave.ts';
import { clientOf, failureOf } from './sdk.ts';

const KEY = '11111111-2222-3333-4444-555555555555';
const ARN = `arn:aws:kms:us-east-1:111122223333:key/${KEY}`;

let pki: NitroPki;
let kms: EmulatedKms;
let client: KMSClient;
const senders: KMSClient[] = [];

function start(options: { faults?: KmsFault[]; seed?: string } = {}): Promise<EmulatedKms> {
  return startEmulatedKms({ attestation: { roots: [pki.rootCertificate] }, keys: [{ keyId: KEY }], ...options });
}

function sender(config: KMSClientConfig = {}): KMSClient {
  const made = clientOf(kms, config);
  senders.push(made);
  return made;
}

beforeAll(async () => {
  pki = await createNitroPki();
  kms = await start();
  client = clientOf(kms);
});

afterEach(() => {
  kms.faults.set([]);
  for (const one of senders.splice(0)) one.destroy();
});

afterAll(async () => {
  client.destroy();
  await kms.close();
});

const describeKey = () => new DescribeKeyCommand({ KeyId: KEY });

describe('a fault', () => {
  it.each<[KmsFault, { name: string; status: number }]>([
    [{ kind: 'throttle' }, { name: 'ThrottlingException', status: 400 }],
    [
      { kind: 'server-error', status: 500 },
      { name: 'KMSInternalException', status: 500 },
    ],
    [
      { kind: 'server-error', status: 502 },
      { name: 'ServiceUnavailableException', status: 502 },
    ],
    [
      { kind: 'server-error', status: 503 },
      { name: 'DependencyTimeoutException', status: 503 },
    ],
    [
      { kind: 'server-error', status: 504 },
      { name: 'DependencyTimeoutException', status: 504 },
    ],
    [{ kind: 'expired-credentials' }, { name: 'ExpiredTokenException', status: 400 }],
  ])('is an answer of AWS: %o', async (fault, failure) => {
    kms.faults.set([fault]);
    expect(await failureOf(client.send(describeKey()))).toMatchObject(failure);
    kms.faults.set([]);
    expect((await client.send(describeKey())).KeyMetadata?.Arn).toBe(ARN);
  });

  it('happens as often as it is told, and the retries of the SDK get over it', async () => {
    kms.faults.set([{ kind: 'throttle', times: 2 }]);
    const retrying = sender({ maxAttempts: 3 });
    const answer = await retrying.send(describeKey());
    expect([answer.KeyMetadata?.Arn, answer.$metadata.attempts]).toEqual([ARN, 3]);
  });

  it('concerns the operations that it names', async () => {
    kms.faults.set([{ kind: 'throttle', operations: ['Encrypt'] }]);
    await client.send(describeKey());
    const encrypting = client.send(new EncryptCommand({ KeyId: KEY, Plaintext: Buffer.from('x') }));
    expect(await failureOf(encrypting)).toMatchObject({ name: 'ThrottlingException' });
  });

  it('of no answer ends with the patience of the client', async () => {
    kms.faults.set([{ kind: 'timeout', times: 1 }]);
    const stopped = new AbortController();
    const waiting = client.send(describeKey(), { abortSignal: stopped.signal });
    setTimeout(() => stopped.abort(), 300);
    expect(await failureOf(waiting)).toMatchObject({ name: 'AbortError' });
    await client.send(describeKey());
  });

  it('cuts the connection in the middle of the answer', async () => {
    kms.faults.set([{ kind: 'drop', times: 1 }]);
    await expect(client.send(describeKey())).rejects.toThrow(/aborted|ECONNRESET|socket hang up|terminated/);
    await client.send(describeKey());
  });

  it('stalls in the middle of the answer: its head is there, its body never is', async () => {
    kms.faults.set([{ kind: 'stall', times: 1 }]);
    const { host, port, ca } = kms;
    const call = request({ host, port, ca, servername: 'localhost', method: 'POST', agent: false }).end();
    const [response] = await once(call, 'response');
    const body = Buffer.concat(await collect(response, 300));
    expect(body.length).toBeGreaterThan(0);
    expect(body.length).toBeLessThan(Number(response.headers['content-length']));
    expect([response.complete, response.destroyed]).toEqual([false, false]);
    response.destroy();
    await client.send(describeKey());
  });

  it('of the clock shows in the header of every answer, good or bad', async () => {
    kms.faults.set([{ kind: 'wrong-date', offsetMs: 3_600_000, times: 2 }]);
    expect((await headerDate(kms)) - Date.now()).toBeGreaterThan(3_500_000);
    expect((await headerDate(kms)) - Date.now()).toBeGreaterThan(3_500_000);
    expect((await headerDate(kms)) - Date.now()).toBeLessThan(3_500_000);
  });
});

/** What comes of an answer within `ms`. */
async function collect(response: IncomingMessage, ms: number): Promise<Buffer[]> {
  const pieces: Buffer[] = [];
  response.on('data', (piece: Buffer) => pieces.push(piece));
  await delay(ms);
  return pieces;
}

/** The Date of an answer, whatever the answer is. */
async function headerDate({ host, port, ca }: EmulatedKms): Promise<number> {
  const call = request({ host, port, ca, servername: 'localhost', method: 'POST', agent: false }).end();
  const [response] = await once(call, 'response');
  response.resume();
  return Date.parse(response.headers.date);
}

describe('a forged answer', () => {
  it('has a CiphertextForRecipient that opens, with content of the attacker', async () => {
    const Recipient = await recipientOf(pki);
    const made = await client.send(new GenerateDataKeyCommand({ KeyId: KEY, KeySpec: 'AES_256', Recipient }));
    kms.faults.set([{ kind: 'forged-ciphertext-for-recipient' }]);
    const answer = await client.send(new DecryptCommand({ CiphertextBlob: made.CiphertextBlob, Recipient }));
    expect(answer.KeyId).toBe(ARN);
    const forged = openForEnclave(answer.CiphertextForRecipient);
    expect(forged).toHaveLength(32);
    expect(forged).not.toEqual(openForEnclave(made.CiphertextForRecipient));
  });

  it('of a key pair has a private key that is not that of the public one', async () => {
    kms.faults.set([{ kind: 'forged-ciphertext-for-recipient' }]);
    const Recipient = await recipientOf(pki);
    const answer = await client.send(
      new GenerateDataKeyPairCommand({ KeyId: KEY, KeyPairSpec: 'ECC_NIST_P256', Recipient }),
    );
    const key = createPrivateKey({
      key: Buffer.from(openForEnclave(answer.CiphertextForRecipient)),
      format: 'der',
      type: 'pkcs8',
    });
    expect(createPublicKey(key).export({ format: 'der', type: 'spki' })).not.toEqual(
      Buffer.from(answer.PublicKey ?? []),
    );
  });

  it('of another key has its ARN and its data', async () => {
    kms.faults.set([{ kind: 'other-key' }]);
    const Recipient = await recipientOf(pki);
    const answer = await client.send(new GenerateDataKeyCommand({ KeyId: KEY, KeySpec: 'AES_256', Recipient }));
    expect(answer.KeyId).toMatch(/^arn:aws:kms:us-east-1:111122223333:key\/[0-9a-f-]{36}$/);
    expect(answer.KeyId).not.toBe(ARN);
    expect(openForEnclave(answer.CiphertextForRecipient)).toHaveLength(32);
    kms.faults.set([]);
    expect(await failureOf(client.send(new DecryptCommand({ CiphertextBlob: answer.CiphertextBlob })))).toMatchObject({
      name: 'AccessDeniedException',
    });
  });

  it('has the plaintext where there should be a CiphertextForRecipient', async () => {
    kms.faults.set([{ kind: 'no-ciphertext-for-recipient' }]);
    const answer = await client.send(
      new GenerateRandomCommand({ NumberOfBytes: 16, Recipient: await recipientOf(pki) }),
    );
    expect(answer.Plaintext).toHaveLength(16);
    expect(answer.CiphertextForRecipient).toBeUndefined();
  });

  it('leaves answers without a recipient as they are', async () => {
    kms.faults.set([{ kind: 'forged-ciphertext-for-recipient' }, { kind: 'no-ciphertext-for-recipient' }]);
    const { CiphertextBlob } = await client.send(new EncryptCommand({ KeyId: KEY, Plaintext: Buffer.from('x') }));
    const { Plaintext } = await client.send(new DecryptCommand({ CiphertextBlob }));
    expect(Buffer.from(Plaintext ?? []).toString()).toBe('x');
  });
});

describe('the client of this SDK', () => {
  function attested(): KMSClient {
    const made = sender();
    made.middlewareStack.use(recipient({ attest: ({ publicKey }) => documentOf(pki, { publicKey }) }));
    return made;
  }

  it('gets its data as if nothing had happened', async () => {
    const enclave = attested();
    const { Plaintext, CiphertextBlob } = await enclave.send(
      new GenerateDataKeyCommand({ KeyId: ARN, KeySpec: 'AES_256' }),
    );
    const again = await enclave.send(new DecryptCommand({ KeyId: ARN, CiphertextBlob }));
    expect(Plaintext).toHaveLength(32);
    expect(Buffer.from(again.Plaintext ?? [])).toEqual(Buffer.from(Plaintext ?? []));
  });

  it.each<[KmsFault['kind'], KmsFault]>([
    ['other-key', { kind: 'other-key' }],
    ['no-ciphertext-for-recipient', { kind: 'no-ciphertext-for-recipient' }],
  ])('refuses an answer with the fault %s', async (_, fault) => {
    const enclave = attested();
    kms.faults.set([fault]);
    const call = enclave.send(new GenerateDataKeyCommand({ KeyId: ARN, KeySpec: 'AES_256' }));
    expect(await failureOf(call)).toMatchObject({ name: 'KmsRecipientError' });
  });
});

describe('the seed', () => {
  async function outcomes(seed: string): Promise<string> {
    await using other = await start({ seed, faults: [{ kind: 'throttle', chance: 0.5 }] });
    const calling = clientOf(other);
    const names: string[] = [];
    for (let call = 0; call < 24; call += 1)
      names.push(
        await calling.send(describeKey()).then(
          () => '-',
          () => 'T',
        ),
      );
    calling.destroy();
    return names.join('');
  }

  it('decides which requests suffer, each time the same', async () => {
    const [first, again, other] = [await outcomes('a'), await outcomes('a'), await outcomes('b')];
    expect(again).toBe(first);
    expect(other).not.toBe(first);
    expect(first).toMatch(/T.*-|-.*T/);
  });
});
