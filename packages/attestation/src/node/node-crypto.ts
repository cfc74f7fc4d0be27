import type { KeyObject } from 'node:crypto';
import { createHash, createPublicKey, verify } from 'node:crypto';
import { bytesEqual, concatBytes } from '@nitro-enclaves/core';
import type { NitroCrypto, P384Key, SyncNitroCrypto } from '../crypto.ts';
import { AWS_ROOT } from '../trust-anchor.ts';

/** SubjectPublicKeyInfo of an uncompressed secp384r1 point, up to the point (RFC 5480 §2). */
const SPKI_PREFIX = Uint8Array.of(
  ...[0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01],
  ...[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00],
);

function createKey(point: Uint8Array): P384Key {
  const key = Buffer.from(concatBytes(SPKI_PREFIX, point));
  return { ready: createPublicKey({ key, format: 'der', type: 'spki' }) };
}

const { publicKey: AWS_ROOT_POINT } = AWS_ROOT.certificate;
/** Made ready once: the first key of every chain, and each one costs as much as a fifth of a signature. */
const AWS_ROOT_KEY = createKey(AWS_ROOT_POINT);

function importP384(point: Uint8Array): P384Key {
  return bytesEqual(point, AWS_ROOT_POINT) ? AWS_ROOT_KEY : createKey(point);
}

function verificationKey({ ready }: P384Key): { key: KeyObject; dsaEncoding: 'ieee-p1363' } {
  return { key: ready as KeyObject, dsaEncoding: 'ieee-p1363' };
}

function digest(algorithm: 'sha256' | 'sha384', bytes: Uint8Array): Uint8Array {
  return createHash(algorithm).update(bytes).digest();
}

/** `node:crypto` on the calling thread. */
export const SYNC_NODE_CRYPTO: SyncNitroCrypto = {
  importP384,
  verify: (key, message, signature) => verify('sha384', message, verificationKey(key), signature),
  sha256: (bytes) => digest('sha256', bytes),
  sha384: (bytes) => digest('sha384', bytes),
};

/** `node:crypto`, its signatures on the thread pool: several at a time. */
export const NODE_CRYPTO: NitroCrypto = {
  ...SYNC_NODE_CRYPTO,
  verify: (key, message, signature) =>
    new Promise((resolve, reject) => {
      verify('sha384', message, verificationKey(key), signature, (error, isHeld) => {
        if (error) reject(error);
        else resolve(isHeld);
      });
    }),
};
