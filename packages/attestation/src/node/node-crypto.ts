import type { KeyObject, VerifyKeyObjectInput, VerifyPublicKeyInput } from 'node:crypto';
import { createHash, createPublicKey, verify } from 'node:crypto';
import type { NitroCrypto, SyncNitroCrypto } from '../crypto.ts';
import { P384_POINT_BYTES } from '../p384.ts';

/** SubjectPublicKeyInfo of an uncompressed secp384r1 point (RFC 5480 §2): the prefix of all, and room for the point. */
const SPKI_PREFIX = [
  ...[0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01],
  ...[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00],
];
const spki = Buffer.from([...SPKI_PREFIX, ...new Array(P384_POINT_BYTES).fill(0)]);

/** Keys that were used before; `undefined` after the first time. */
const keys = new WeakMap<Uint8Array, KeyObject | undefined>();

/** In the one buffer of all keys: to be used at once. */
function encodedKey(point: Uint8Array): { readonly key: Buffer; readonly format: 'der'; readonly type: 'spki' } {
  spki.set(point, SPKI_PREFIX.length);
  return { key: spki, format: 'der', type: 'spki' };
}

/**
 * A key is made ready at its second use: most keys of a chain that is verified from its beginning are used once, and it
 * costs more to make one ready (a tenth of a signature, on Node 20 a fifth) than to use it as it is.
 */
function keyOf(point: Uint8Array): VerifyKeyObjectInput | VerifyPublicKeyInput {
  let key = keys.get(point);
  if (key === undefined) {
    const encoded = encodedKey(point);
    if (!keys.has(point)) {
      keys.set(point, undefined);
      return { ...encoded, dsaEncoding: 'ieee-p1363' };
    }
    key = createPublicKey(encoded);
    keys.set(point, key);
  }
  return { key, dsaEncoding: 'ieee-p1363' };
}

/**
 * What a verification that failed altogether answers: nothing when OpenSSL makes no key of the point. All else in the key is
 * ours; its error has another code, or none, from one version of Node to the next.
 */
function answerWithoutKey(point: Uint8Array, error: unknown): undefined {
  try {
    createPublicKey(encodedKey(point));
  } catch {
    return undefined;
  }
  throw error;
}

function digest(algorithm: 'sha256' | 'sha384', bytes: Uint8Array): Uint8Array {
  return createHash(algorithm).update(bytes).digest();
}

/** `node:crypto` on the calling thread. */
export const SYNC_NODE_CRYPTO: SyncNitroCrypto = {
  verify: (point, message, signature) => {
    try {
      return verify('sha384', message, keyOf(point), signature);
    } catch (error) {
      return answerWithoutKey(point, error);
    }
  },
  sha256: (bytes) => digest('sha256', bytes),
  sha384: (bytes) => digest('sha384', bytes),
};

/** `node:crypto`, its signatures on the thread pool: several at a time. */
export const NODE_CRYPTO: NitroCrypto = {
  ...SYNC_NODE_CRYPTO,
  verify: (point, message, signature) =>
    new Promise<boolean>((resolve, reject) => {
      verify('sha384', message, keyOf(point), signature, (error, isHeld) => {
        if (error) reject(error);
        else resolve(isHeld);
      });
    }).catch((error) => answerWithoutKey(point, error)),
};
