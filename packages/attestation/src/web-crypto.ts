import type { NitroCrypto, P384Key } from './crypto.ts';

const P384 = { name: 'ECDSA', namedCurve: 'P-384' };
const ES384 = { name: 'ECDSA', hash: 'SHA-384' };

/** WebCrypto wants bytes that nobody shares; those that are shared are copied. */
function unshared(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer ? (bytes as Uint8Array<ArrayBuffer>) : new Uint8Array(bytes);
}

async function digest(algorithm: 'SHA-256' | 'SHA-384', bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest(algorithm, unshared(bytes)));
}

/** WebCrypto, of browsers, workers and every other runtime. */
export const WEB_CRYPTO: NitroCrypto = {
  async importP384(point): Promise<P384Key> {
    return { ready: await crypto.subtle.importKey('raw', unshared(point), P384, false, ['verify']) };
  },
  verify({ ready }, message, signature) {
    return crypto.subtle.verify(ES384, ready as CryptoKey, unshared(signature), unshared(message));
  },
  sha256: (bytes) => digest('SHA-256', bytes),
  sha384: (bytes) => digest('SHA-384', bytes),
};
