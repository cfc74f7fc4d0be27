import type { NitroCrypto } from './crypto.ts';

const P384 = { name: 'ECDSA', namedCurve: 'P-384' };
const ES384 = { name: 'ECDSA', hash: 'SHA-384' };

/** WebCrypto wants bytes that nobody shares; those that are shared are copied. */
function unshared(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer ? (bytes as Uint8Array<ArrayBuffer>) : new Uint8Array(bytes);
}

async function digest(algorithm: string, bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest(algorithm, unshared(bytes)));
}

const keys = new WeakMap<Uint8Array, Promise<CryptoKey>>();

function keyOf(point: Uint8Array): Promise<CryptoKey> {
  const key = keys.get(point) ?? crypto.subtle.importKey('raw', unshared(point), P384, false, ['verify']);
  keys.set(point, key);
  return key;
}

/** WebCrypto, of browsers, workers and every other runtime. */
export const WEB_CRYPTO: NitroCrypto = {
  verify: async (point, message, signature) =>
    crypto.subtle.verify(ES384, await keyOf(point), unshared(signature), unshared(message)),
  sha256: (bytes) => digest('SHA-256', bytes),
  sha384: (bytes) => digest('SHA-384', bytes),
};
