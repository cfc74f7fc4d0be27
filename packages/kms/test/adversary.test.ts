import { generateKeyPairSync, randomBytes } from 'node:crypto';
import type { KMS } from '@aws-sdk/client-kms';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { RecipientOptions } from '../src/index.ts';
import { Emulation, KEY_ARN, OTHER_KEY_ARN } from './support/emulation.ts';
import { seal } from './support/envelope-writer.ts';

/** What somebody who ended TLS in KMS's place could change of an answer. */
interface Answer {
  KeyId?: string | undefined;
  Plaintext?: Uint8Array | undefined;
  PrivateKeyPlaintext?: Uint8Array | undefined;
  PublicKey?: Uint8Array | undefined;
  SharedSecret?: Uint8Array | undefined;
  CiphertextForRecipient?: Uint8Array | undefined;
}

let emulation: Emulation;
beforeAll(async () => {
  emulation = await Emulation.start();
});
afterEach(() => emulation.faults.set({}));
afterAll(() => emulation[Symbol.asyncDispose]());

/** A client whose answers are changed on their way; `publicKey` is the one in the document of the call. */
function tamperedClient(
  tamper: (answer: Answer, publicKey: Uint8Array) => Answer,
  options: Partial<RecipientOptions> = {},
): KMS {
  const nsm = emulation.nsm();
  let publicKey = new Uint8Array();
  const client = emulation.client({
    attest: (request) => {
      publicKey = new Uint8Array(request.publicKey);
      return nsm.attestation(request);
    },
    ...options,
  });
  client.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      if (result.output !== undefined) Object.assign(result.output, tamper({ ...result.output } as Answer, publicKey));
      return result;
    },
    { step: 'deserialize', priority: 'high', name: 'tamper' },
  );
  return client;
}

async function refusalOf(call: Promise<unknown>): Promise<string> {
  const error: { name?: string; code?: string; message?: string } = await call.then(
    () => ({ code: 'NOT_REFUSED' }),
    (reason) => reason,
  );
  return error.code ?? `${error.name}: ${error.message}`;
}

const dataKey = (client: KMS) => client.generateDataKey({ KeyId: KEY_ARN, KeySpec: 'AES_256' });

describe('an answer that is not what was asked for is refused', () => {
  const answers: [string, string, (answer: Answer, publicKey: Uint8Array) => Answer][] = [
    [
      'plaintext in the clear, and no envelope',
      'ANSWER_NOT_SEALED',
      () => ({ Plaintext: randomBytes(32), CiphertextForRecipient: undefined }),
    ],
    ['plaintext in the clear beside a genuine envelope', 'ANSWER_NOT_SEALED', () => ({ Plaintext: randomBytes(32) })],
    ['neither', 'ANSWER_NOT_SEALED', () => ({ CiphertextForRecipient: undefined })],
    ["another key's ARN", 'ANSWER_KEY_MISMATCH', () => ({ KeyId: OTHER_KEY_ARN })],
    ['no KeyId', 'ANSWER_KEY_MISMATCH', () => ({ KeyId: undefined })],
    ['a KeyId that only begins like it', 'ANSWER_KEY_MISMATCH', () => ({ KeyId: `${KEY_ARN}0` })],
    [
      'the same key id in another account',
      'ANSWER_KEY_MISMATCH',
      ({ KeyId = '' }) => ({ KeyId: KeyId.replace('111122223333', '444455556666') }),
    ],
    [
      'a forged envelope with a key of 16 bytes',
      'ANSWER_LENGTH',
      (_, key) => ({ CiphertextForRecipient: seal(key, randomBytes(16)) }),
    ],
    [
      'a forged envelope with a key of 33 bytes',
      'ANSWER_LENGTH',
      (_, key) => ({ CiphertextForRecipient: seal(key, randomBytes(33)) }),
    ],
    [
      'an envelope for another recipient',
      'ENVELOPE_REFUSED',
      () => ({ CiphertextForRecipient: seal(otherKey(), randomBytes(32)) }),
    ],
    [
      'an envelope cut off',
      'ENVELOPE_REFUSED',
      ({ CiphertextForRecipient }) => ({ CiphertextForRecipient: CiphertextForRecipient?.subarray(0, -4) }),
    ],
    [
      'an envelope with a changed bit in its key',
      'ENVELOPE_REFUSED',
      ({ CiphertextForRecipient }) => ({ CiphertextForRecipient: flip(CiphertextForRecipient, 200) }),
    ],
    ['no octets', 'ENVELOPE_REFUSED', () => ({ CiphertextForRecipient: new Uint8Array() })],
  ];
  it.each(answers)('%s', async (_, code, tamper) => {
    expect(await refusalOf(dataKey(tamperedClient(tamper)))).toBe(code);
  });

  it('an envelope of an earlier call, replayed after the key was rotated', async () => {
    let first: Uint8Array | undefined;
    const client = tamperedClient(
      ({ CiphertextForRecipient }) => {
        first ??= CiphertextForRecipient;
        return { CiphertextForRecipient: first };
      },
      { maxUses: 1 },
    );
    await dataKey(client);
    expect(await refusalOf(dataKey(client))).toBe('ENVELOPE_REFUSED');
  });

  it('a key pair whose halves do not belong together, or of another kind', async () => {
    const ask = (tamper: (answer: Answer, key: Uint8Array) => Answer) =>
      refusalOf(tamperedClient(tamper).generateDataKeyPair({ KeyId: KEY_ARN, KeyPairSpec: 'ECC_NIST_P256' }));
    const pair = (namedCurve: string) => {
      const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve });
      return [
        privateKey.export({ format: 'der', type: 'pkcs8' }),
        publicKey.export({ format: 'der', type: 'spki' }),
      ] as const;
    };
    const [otherPrivate] = pair('P-256');
    const [p384Private, p384Public] = pair('P-384');
    const codes = await Promise.all([
      ask((_, key) => ({ CiphertextForRecipient: seal(key, otherPrivate) })),
      ask((_, key) => ({ CiphertextForRecipient: seal(key, p384Private), PublicKey: p384Public })),
      ask(() => ({ PublicKey: pair('P-256')[1] })),
      ask(() => ({ PublicKey: undefined })),
      ask((_, key) => ({ CiphertextForRecipient: seal(key, randomBytes(138)) })),
    ]);
    expect(codes).toEqual(codes.map(() => 'ANSWER_KEY_PAIR'));
  });

  it('random bytes fewer than asked for', async () => {
    const client = tamperedClient((_, key) => ({ CiphertextForRecipient: seal(key, randomBytes(31)) }));
    expect(await refusalOf(client.generateRandom({ NumberOfBytes: 32 }))).toBe('ANSWER_LENGTH');
  });

  it('a decrypted text of more than KMS encrypts', async () => {
    const CiphertextBlob = await emulation.ciphertextOf(Buffer.from('x'));
    const client = tamperedClient((_, key) => ({ CiphertextForRecipient: seal(key, randomBytes(4097)) }));
    expect(await refusalOf(client.decrypt({ KeyId: KEY_ARN, CiphertextBlob }))).toBe('ANSWER_LENGTH');
  });

  it('an answer that KMS itself gives wrongly', async () => {
    emulation.kmsFaults({ kind: 'other-key' });
    expect(await refusalOf(dataKey(emulation.client()))).toBe('ANSWER_KEY_MISMATCH');
    emulation.kmsFaults({ kind: 'no-ciphertext-for-recipient' });
    expect(await refusalOf(dataKey(emulation.client()))).toBe('ANSWER_NOT_SEALED');
  });

  it('and the next genuine one is taken', async () => {
    emulation.kmsFaults({ kind: 'no-ciphertext-for-recipient', times: 1 });
    const client = emulation.client();
    await dataKey(client).catch(() => undefined);
    expect((await dataKey(client)).Plaintext).toHaveLength(32);
  });
});

describe('the plaintext of a refused answer', () => {
  it('is zeroed before the refusal', async () => {
    const clear = randomBytes(32);
    await refusalOf(dataKey(tamperedClient(() => ({ Plaintext: clear }))));
    expect(clear.every((byte) => byte === 0)).toBe(true);
  });
});

function otherKey(): Uint8Array {
  return generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'der', type: 'spki' });
}

function flip(bytes: Uint8Array | undefined, at: number): Uint8Array {
  const copy = Buffer.from(bytes ?? []);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}
