import { createHash, webcrypto } from 'node:crypto';

/**
 * An RSA-2048 key pair that KMS encrypts to. The private half is a CryptoKey that cannot be exported: it never enters
 * JavaScript's memory, and OpenSSL overwrites it when the last reference to it is gone.
 */
export interface RecipientKey {
  /** SubjectPublicKeyInfo, DER, 294 bytes: the attestation document's `public_key`. */
  readonly publicKey: Uint8Array;
  /** SHA-256 of {@link RecipientKey.publicKey}: the name by which KMS's envelopes call it. */
  readonly subjectKeyIdentifier: Uint8Array;
  readonly privateKey: webcrypto.CryptoKey;
}

const RSA_OAEP = {
  name: 'RSA-OAEP',
  hash: 'SHA-256',
  modulusLength: 2048,
  publicExponent: Uint8Array.of(1, 0, 1),
} as const;

/** Makes a key pair on libuv's threads, 50 to 300 ms: the event loop goes on. */
export async function generateRecipientKey(): Promise<RecipientKey> {
  const { publicKey, privateKey } = await webcrypto.subtle.generateKey(RSA_OAEP, false, ['encrypt', 'decrypt']);
  const encoded = new Uint8Array(await webcrypto.subtle.exportKey('spki', publicKey));
  const subjectKeyIdentifier = createHash('sha256').update(encoded).digest();
  return { publicKey: encoded, subjectKeyIdentifier, privateKey };
}
