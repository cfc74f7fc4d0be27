import { constants, createPublicKey, privateDecrypt, publicEncrypt } from 'node:crypto';
import { privateKeyOf } from './key-material.ts';
import type { KmsKey } from './key-ring.ts';
import type { EncryptionAlgorithm } from './key-spec.ts';
import { KmsServiceError, validationError } from './service-error.ts';

type RsaAlgorithm = Exclude<EncryptionAlgorithm, 'SYMMETRIC_DEFAULT'>;

const HASHES: Readonly<Record<RsaAlgorithm, { readonly name: string; readonly bytes: number }>> = {
  RSAES_OAEP_SHA_1: { name: 'sha1', bytes: 20 },
  RSAES_OAEP_SHA_256: { name: 'sha256', bytes: 32 },
};

/** RSAES-OAEP (RFC 8017 §7.1) with the algorithm's hash, twice, and the empty label. */
export function sealWithRsa(key: KmsKey, plaintext: Uint8Array, algorithm: RsaAlgorithm): Uint8Array {
  const publicKey = createPublicKey(privateKeyOf(key.material));
  const { name, bytes } = HASHES[algorithm];
  const room = (publicKey.asymmetricKeyDetails?.modulusLength ?? 0) / 8 - 2 * bytes - 2;
  if (plaintext.length > room) {
    throw validationError(
      `Algorithm ${algorithm} and key spec ${key.keySpec} cannot encrypt data larger than ${room} bytes.`,
    );
  }
  return publicEncrypt({ key: publicKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: name }, plaintext);
}

/** @throws {KmsServiceError} `InvalidCiphertextException`, which says no more, whatever is wrong */
export function openWithRsa(key: KmsKey, ciphertext: Uint8Array, algorithm: RsaAlgorithm): Uint8Array {
  const options = {
    key: privateKeyOf(key.material),
    padding: constants.RSA_PKCS1_OAEP_PADDING,
    oaepHash: HASHES[algorithm].name,
  };
  try {
    return privateDecrypt(options, ciphertext);
  } catch {
    throw new KmsServiceError('InvalidCiphertextException');
  }
}
