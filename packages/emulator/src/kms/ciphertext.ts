import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { concatBytes, decodeHex, encodeHex } from '@nitro-enclaves/core';
import type { KmsKey } from './key-ring.ts';
import { KmsServiceError } from './service-error.ts';

/** Pairs that a ciphertext is bound to, in no order. */
export type EncryptionContext = ReadonlyMap<string, string>;

/** `EKMS` and the version of the format: nobody may take such a blob for one of AWS. */
const MAGIC = Uint8Array.of(0x45, 0x4b, 0x4d, 0x53, 1);
const KEY_ID_BYTES = 16;
const HEADER_BYTES = MAGIC.length + KEY_ID_BYTES;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const ALGORITHM = 'aes-256-gcm';

const UTF8 = new TextEncoder();

function lengthPrefixed(text: string): Uint8Array {
  const bytes = UTF8.encode(text);
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, bytes.length);
  return concatBytes(length, bytes);
}

/** Every text with its length, so that no two contexts have the same bytes; sorted, since a context has no order. */
function encodeContext(context: EncryptionContext): Uint8Array {
  const pairs = [...context].sort(([left], [right]) => (left < right ? -1 : 1));
  return concatBytes(...pairs.flat().map(lengthPrefixed));
}

function headerOf({ keyId }: KmsKey): Uint8Array {
  return concatBytes(MAGIC, decodeHex(keyId.replaceAll('-', '')));
}

/** What a blob is bound to: its key, by ARN, and the context. */
function additionalData(key: KmsKey, context: EncryptionContext): Uint8Array {
  return concatBytes(headerOf(key), lengthPrefixed(key.arn), encodeContext(context));
}

function refuse(): never {
  throw new KmsServiceError('InvalidCiphertextException');
}

/** Encrypts under a symmetric key: header, 12 bytes of IV, AES-256-GCM, 16 bytes of tag. */
export function sealBlob(key: KmsKey, plaintext: Uint8Array, context: EncryptionContext): Uint8Array {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(ALGORITHM, key.material, iv);
  cipher.setAAD(additionalData(key, context));
  return concatBytes(headerOf(key), iv, cipher.update(plaintext), cipher.final(), cipher.getAuthTag());
}

/**
 * The id of the key that a blob was made under, as the blob says: not yet to be believed.
 * @throws {KmsServiceError} `InvalidCiphertextException`
 */
export function keyIdOfBlob(blob: Uint8Array): string {
  const isOurs =
    blob.length >= HEADER_BYTES + IV_BYTES + TAG_BYTES && MAGIC.every((byte, index) => blob[index] === byte);
  if (!isOurs) return refuse();
  const hex = encodeHex(blob.subarray(MAGIC.length, HEADER_BYTES));
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/**
 * Decrypts a blob made by {@link sealBlob} under the same key and context.
 * @throws {KmsServiceError} `InvalidCiphertextException`, which says no more, whatever is wrong
 */
export function openBlob(key: KmsKey, blob: Uint8Array, context: EncryptionContext): Uint8Array {
  const sealed = blob.subarray(HEADER_BYTES + IV_BYTES, blob.length - TAG_BYTES);
  const decipher = createDecipheriv(ALGORITHM, key.material, blob.subarray(HEADER_BYTES, HEADER_BYTES + IV_BYTES), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(additionalData(key, context));
  decipher.setAuthTag(blob.subarray(blob.length - TAG_BYTES));
  try {
    return concatBytes(decipher.update(sealed), decipher.final());
  } catch {
    return refuse();
  }
}
