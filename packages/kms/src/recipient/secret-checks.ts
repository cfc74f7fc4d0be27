import type { KeyObject } from 'node:crypto';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { bytesEqual } from '@nitro-enclaves/core';
import { KmsRecipientError } from '../error.ts';

/** The fields of inputs and outputs that the checks read; KMS API reference, the five operations with a Recipient. */
export interface RecipientFields {
  readonly KeyId?: string | undefined;
  readonly KeySpec?: string | undefined;
  readonly KeyPairSpec?: string | undefined;
  readonly NumberOfBytes?: number | undefined;
  readonly PublicKey?: Uint8Array | undefined;
  readonly Recipient?: unknown;
  readonly CiphertextForRecipient?: Uint8Array | undefined;
  readonly Plaintext?: Uint8Array | undefined;
  readonly PrivateKeyPlaintext?: Uint8Array | undefined;
  readonly SharedSecret?: Uint8Array | undefined;
}

/** Throws unless `secret` is what `input` asked for; `output` is the rest of the answer. */
export type SecretCheck = (secret: Uint8Array, input: RecipientFields, output: RecipientFields) => void;

function expectLength(secret: Uint8Array, expected: number | undefined, asked: string): void {
  if (secret.length === expected) return;
  throw new KmsRecipientError(
    'ANSWER_LENGTH',
    `expected ${expected ?? 'an unknown number of'} bytes for ${asked}, found ${secret.length}: the answer is not what was asked for`,
  );
}

/** Longest plaintext that KMS encrypts, in bytes (Encrypt, "Plaintext"). */
const MAX_PLAINTEXT_BYTES = 4096;

/** Decrypt: the length is the ciphertext's business, but KMS encrypts 1 to 4096 bytes. */
export const checkAnyLength: SecretCheck = (secret) => {
  if (secret.length < 1 || secret.length > MAX_PLAINTEXT_BYTES) expectLength(secret, undefined, 'Decrypt (1 to 4096)');
};

const DATA_KEY_BYTES: ReadonlyMap<string | undefined, number> = new Map([
  ['AES_128', 16],
  ['AES_256', 32],
]);

/** GenerateDataKey: a shorter key than was asked for would be a weaker one. */
export const checkDataKey: SecretCheck = (secret, { KeySpec, NumberOfBytes }) => {
  expectLength(secret, NumberOfBytes ?? DATA_KEY_BYTES.get(KeySpec), KeySpec ?? 'NumberOfBytes');
};

/** GenerateRandom. */
export const checkRandom: SecretCheck = (secret, { NumberOfBytes }) => {
  expectLength(secret, NumberOfBytes, 'NumberOfBytes');
};

/** Coordinate lengths, in bytes: what ECDH gives. */
const SHARED_SECRET_BYTES: ReadonlyMap<string | undefined, number> = new Map([
  ['prime256v1', 32],
  ['secp384r1', 48],
  ['secp521r1', 66],
  ['SM2', 32],
]);

/** Of a public key (SubjectPublicKeyInfo, DER); `undefined` when it is on none, or no key known here. */
function curveOf(publicKey: Uint8Array | undefined): string | undefined {
  try {
    const key = createPublicKey({ key: Buffer.from(publicKey ?? []), format: 'der', type: 'spki' });
    return key.asymmetricKeyDetails?.namedCurve;
  } catch {
    // Then no length can be expected, and the answer is refused for that.
    return undefined;
  }
}

/** DeriveSharedSecret: both keys are on one curve, so the peer's public key tells the length. */
export const checkSharedSecret: SecretCheck = (secret, { PublicKey }) => {
  const curve = curveOf(PublicKey);
  expectLength(secret, SHARED_SECRET_BYTES.get(curve), `a shared secret on ${curve ?? 'no known curve'}`);
};

/** What each KeyPairSpec is in Node: key type, then RSA's length in bits or the curve's name. */
const KEY_PAIR_SPECS: ReadonlyMap<string | undefined, readonly [string, (number | string)?]> = new Map([
  ['RSA_2048', ['rsa', 2048]],
  ['RSA_3072', ['rsa', 3072]],
  ['RSA_4096', ['rsa', 4096]],
  ['ECC_NIST_P256', ['ec', 'prime256v1']],
  ['ECC_NIST_P384', ['ec', 'secp384r1']],
  ['ECC_NIST_P521', ['ec', 'secp521r1']],
  ['ECC_SECG_P256K1', ['ec', 'secp256k1']],
  ['ECC_NIST_EDWARDS25519', ['ed25519']],
]);

function isOfSpec(key: KeyObject, spec: string | undefined): boolean {
  const [type, detail] = KEY_PAIR_SPECS.get(spec) ?? [];
  const { modulusLength, namedCurve } = key.asymmetricKeyDetails ?? {};
  return type !== undefined && key.asymmetricKeyType === type && (modulusLength ?? namedCurve) === detail;
}

/** The public key that belongs to a private one (PKCS #8 DER), or `undefined` when the bytes are no key of `spec`. */
function publicHalf(secret: Uint8Array, spec: string | undefined): Uint8Array | undefined {
  try {
    const key = createPrivateKey({
      key: Buffer.from(secret.buffer, secret.byteOffset, secret.length),
      format: 'der',
      type: 'pkcs8',
    });
    return isOfSpec(key, spec) ? createPublicKey(key).export({ format: 'der', type: 'spki' }) : undefined;
  } catch {
    // OpenSSL's words on a private key are nobody's business.
    return undefined;
  }
}

/** GenerateDataKeyPair: the private key must be of the asked kind, and the answer's public key its other half. */
export const checkKeyPair: SecretCheck = (secret, { KeyPairSpec }, { PublicKey }) => {
  const expected = publicHalf(secret, KeyPairSpec);
  if (expected !== undefined && PublicKey !== undefined && bytesEqual(expected, PublicKey)) return;
  throw new KmsRecipientError(
    'ANSWER_KEY_PAIR',
    `expected a key pair of ${KeyPairSpec} whose halves belong together, found another: the answer is not what was asked for (ML_KEM and SM2 pairs cannot be checked, so they are refused)`,
  );
};
