/** A value now or later. */
export type Eventually<T> = T | Promise<T>;

/** The cryptography that a verification needs: WebCrypto everywhere, `node:crypto` in Node. */
export interface NitroCrypto {
  /**
   * Whether `signature` (96 bytes: r, s) over SHA-384 of `message` was made by the P-384 key of the uncompressed `point`.
   * The key is made ready once for as long as `point`, the very object, is kept. `undefined` when the point has a coordinate
   * beyond the field or is not on the curve: such points are in smaller groups, whose signatures can be forged.
   */
  verify(point: Uint8Array, message: Uint8Array, signature: Uint8Array): Eventually<boolean | undefined>;
  sha256(bytes: Uint8Array): Eventually<Uint8Array>;
  sha384(bytes: Uint8Array): Eventually<Uint8Array>;
}

/** A {@link NitroCrypto} that answers at once. */
export interface SyncNitroCrypto extends NitroCrypto {
  verify(point: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean | undefined;
  sha256(bytes: Uint8Array): Uint8Array;
  sha384(bytes: Uint8Array): Uint8Array;
}
