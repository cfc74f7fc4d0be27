import type { NitroCrypto } from './crypto.ts';

const P384 = { name: 'ECDSA', namedCurve: 'P-384' };
const ES384 = { name: 'ECDSA', hash: 'SHA-384' };

/** WebCrypto wants bytes that nobody shares: those of a document are copies, made when it was decoded. */
type Unshared = Uint8Array<ArrayBuffer>;

async function digest(algorithm: string, bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest(algorithm, bytes as Unshared));
}

/** "DataError" is the one that importing a key ends with when the bytes are no point of the curve. */
function ignoreDataError(error: Error): undefined {
  if (error.name !== 'DataError') throw error;
}

const keys = new WeakMap<Uint8Array, Promise<CryptoKey | undefined>>();

function keyOf(point: Uint8Array): Promise<CryptoKey | undefined> {
  const key =
    keys.get(point) ??
    crypto.subtle.importKey('raw', point as Unshared, P384, false, ['verify']).catch(ignoreDataError);
  keys.set(point, key);
  return key;
}

/** WebCrypto, of browsers, workers and every other runtime. */
export const WEB_CRYPTO: NitroCrypto = {
  verify: async (point, message, signature) => {
    const key = await keyOf(point);
    return key && crypto.subtle.verify(ES384, key, signature as Unshared, message as Unshared);
  },
  sha256: (bytes) => digest('SHA-256', bytes),
  sha384: (bytes) => digest('SHA-384', bytes),
};
