/** A P-384 public key made ready by a {@link NitroCrypto}; only the one that made it can use it. */
export interface P384Key {
  readonly ready: unknown;
}

/** A value now or later. */
export type Eventually<T> = T | Promise<T>;

/**
 * The cryptography that a verification needs: WebCrypto everywhere, `node:crypto` in Node. `verify` takes a signature of 96
 * bytes (r, s) over SHA-384 of `message` and answers false for any that does not hold.
 */
export interface NitroCrypto {
  importP384(point: Uint8Array): Eventually<P384Key>;
  verify(key: P384Key, message: Uint8Array, signature: Uint8Array): Eventually<boolean>;
  sha256(bytes: Uint8Array): Eventually<Uint8Array>;
  sha384(bytes: Uint8Array): Eventually<Uint8Array>;
}

/** A {@link NitroCrypto} that answers at once. */
export interface SyncNitroCrypto extends NitroCrypto {
  importP384(point: Uint8Array): P384Key;
  verify(key: P384Key, message: Uint8Array, signature: Uint8Array): boolean;
  sha256(bytes: Uint8Array): Uint8Array;
  sha384(bytes: Uint8Array): Uint8Array;
}
