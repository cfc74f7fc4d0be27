import type { KeyObject, VerifyKeyObjectInput } from 'node:crypto';
import { createHash, createPublicKey, verify } from 'node:crypto';
import { concatBytes } from '@nitro-enclaves/core';
import type { NitroCrypto, SyncNitroCrypto } from '../crypto.ts';

/** SubjectPublicKeyInfo of an uncompressed secp384r1 point, up to the point (RFC 5480 §2). */
const SPKI_PREFIX = Uint8Array.of(
  ...[0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01],
  ...[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00],
);

/** Keys that are ready: making one so costs as much as a tenth of a signature, on Node 20 a fifth. */
const keys = new WeakMap<Uint8Array, KeyObject>();

function keyOf(point: Uint8Array): VerifyKeyObjectInput {
  let key = keys.get(point);
  if (key === undefined) {
    key = createPublicKey({ key: Buffer.from(concatBytes(SPKI_PREFIX, point)), format: 'der', type: 'spki' });
    keys.set(point, key);
  }
  return { key, dsaEncoding: 'ieee-p1363' };
}

function digest(algorithm: 'sha256' | 'sha384', bytes: Uint8Array): Uint8Array {
  return createHash(algorithm).update(bytes).digest();
}

/** `node:crypto` on the calling thread. */
export const SYNC_NODE_CRYPTO: SyncNitroCrypto = {
  verify: (point, message, signature) => verify('sha384', message, keyOf(point), signature),
  sha256: (bytes) => digest('sha256', bytes),
  sha384: (bytes) => digest('sha384', bytes),
};

/** `node:crypto`, its signatures on the thread pool: several at a time. */
export const NODE_CRYPTO: NitroCrypto = {
  ...SYNC_NODE_CRYPTO,
  verify: (point, message, signature) =>
    new Promise((resolve, reject) => {
      verify('sha384', message, keyOf(point), signature, (error, isHeld) => {
        if (error) reject(error);
        else resolve(isHeld);
      });
    }),
};
