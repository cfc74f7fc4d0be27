import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { RECIPIENT_OPERATIONS } from '../src/recipient/operations.ts';
import type { RecipientFields } from '../src/recipient/secret-checks.ts';

interface Asked {
  readonly operation: string;
  readonly input: RecipientFields;
  readonly secret: Uint8Array;
  readonly output?: RecipientFields;
}

function refusalOf({ operation, input, secret, output = {} }: Asked): string | undefined {
  try {
    RECIPIENT_OPERATIONS.get(`${operation}Command`)?.check(secret, input, output);
    return undefined;
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

const spki = { type: 'spki', format: 'der' } as const;
const pkcs8 = { type: 'pkcs8', format: 'der' } as const;

describe('the length of a secret is the one asked for', () => {
  const lengths: [string, RecipientFields, number][] = [
    ['GenerateDataKey', { KeySpec: 'AES_128' }, 16],
    ['GenerateDataKey', { KeySpec: 'AES_256' }, 32],
    ...[1, 16, 31, 33, 1024].map((bytes): [string, RecipientFields, number] => [
      'GenerateDataKey',
      { NumberOfBytes: bytes },
      bytes,
    ]),
    ...[1, 32, 1024].map((bytes): [string, RecipientFields, number] => [
      'GenerateRandom',
      { NumberOfBytes: bytes },
      bytes,
    ]),
  ];
  it.each(lengths)('%s with %j: %d bytes, not one more or fewer', (operation, input, length) => {
    expect(refusalOf({ operation, input, secret: randomBytes(length) })).toBeUndefined();
    for (const wrong of [0, length - 1, length + 1, length * 2])
      expect(refusalOf({ operation, input, secret: randomBytes(wrong) })).toBe('ANSWER_LENGTH');
  });

  it.each([
    ['prime256v1', 32],
    ['secp384r1', 48],
    ['secp521r1', 66],
  ])('DeriveSharedSecret with a key on %s: %d bytes', (namedCurve, length) => {
    const PublicKey = generateKeyPairSync('ec', { namedCurve }).publicKey.export(spki);
    const ask = (bytes: number) =>
      refusalOf({ operation: 'DeriveSharedSecret', input: { PublicKey }, secret: randomBytes(bytes) });
    expect(ask(length)).toBeUndefined();
    for (const wrong of [0, 16, length - 1, length + 1]) expect(ask(wrong)).toBe('ANSWER_LENGTH');
  });

  it.each([
    ['no key', undefined],
    ['no public key', randomBytes(91)],
    ['an RSA key', generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export(spki)],
    ['a key on no curve of KMS', generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey.export(spki)],
  ])('DeriveSharedSecret with %s: none is right', (_, PublicKey) => {
    const asked = { operation: 'DeriveSharedSecret', input: { PublicKey }, secret: randomBytes(32) };
    expect(refusalOf(asked)).toBe('ANSWER_LENGTH');
  });

  it.each([
    ['GenerateDataKey', {}],
    ['GenerateDataKey', { KeySpec: 'AES_512' }],
    ['GenerateRandom', {}],
  ])('%s with %j, which asks for no length: none is right', (operation, input) => {
    for (const bytes of [0, 32])
      expect(refusalOf({ operation, input, secret: randomBytes(bytes) })).toBe('ANSWER_LENGTH');
  });

  it('Decrypt: 1 to 4096 bytes, as much as KMS encrypts', () => {
    const ask = (bytes: number) => refusalOf({ operation: 'Decrypt', input: {}, secret: randomBytes(bytes) });
    expect([1, 4096].map(ask)).toEqual([undefined, undefined]);
    expect([0, 4097].map(ask)).toEqual(['ANSWER_LENGTH', 'ANSWER_LENGTH']);
  });
});

describe('a key pair is of the KeyPairSpec asked for', () => {
  const pairs = new Map([
    ...[2048, 3072].map(
      (modulusLength) =>
        [
          `RSA_${modulusLength}`,
          generateKeyPairSync('rsa', { modulusLength, publicKeyEncoding: spki, privateKeyEncoding: pkcs8 }),
        ] as const,
    ),
    ...Object.entries({
      ECC_NIST_P256: 'prime256v1',
      ECC_NIST_P384: 'secp384r1',
      ECC_NIST_P521: 'secp521r1',
      ECC_SECG_P256K1: 'secp256k1',
    }).map(
      ([spec, namedCurve]) =>
        [spec, generateKeyPairSync('ec', { namedCurve, publicKeyEncoding: spki, privateKeyEncoding: pkcs8 })] as const,
    ),
    ['ECC_NIST_EDWARDS25519', generateKeyPairSync('ed25519', { publicKeyEncoding: spki, privateKeyEncoding: pkcs8 })],
  ]);

  it.each([...pairs.keys()])('%s, and is taken for no other', (spec) => {
    for (const [asked, { publicKey, privateKey }] of pairs) {
      const call = { operation: 'GenerateDataKeyPair', input: { KeyPairSpec: spec }, secret: privateKey };
      const refusal = refusalOf({ ...call, output: { PublicKey: publicKey } });
      expect(refusal, asked).toBe(asked === spec ? undefined : 'ANSWER_KEY_PAIR');
    }
  });

  it.each([undefined, 'SM2', 'ML_KEM_512', 'RSA_1024'])('%s cannot be checked, so is refused', (KeyPairSpec) => {
    for (const { publicKey: PublicKey, privateKey: secret } of pairs.values())
      expect(
        refusalOf({ operation: 'GenerateDataKeyPair', input: { KeyPairSpec }, secret, output: { PublicKey } }),
      ).toBe('ANSWER_KEY_PAIR');
  });
});
