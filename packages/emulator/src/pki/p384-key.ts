import { createHash } from 'node:crypto';
import { p384 } from '@noble/curves/nist.js';
import type { Seed } from '../seed.ts';

/** Input of RFC 9380's hash_to_field for one P-384 scalar, so that no scalar is likelier than another. */
const SCALAR_SEED_BYTES = 72;
/** SubjectPublicKeyInfo of an uncompressed secp384r1 point, up to the point (RFC 5480 §2). */
const SPKI_PREFIX = Uint8Array.of(
  ...[0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01],
  ...[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00],
);

/**
 * A P-384 key pair that a seed determines. Its signatures are deterministic too (RFC 6979): WebCrypto and OpenSSL draw a
 * nonce for each, and no document could be made twice.
 */
export class P384KeyPair {
  readonly #secretKey: Uint8Array;
  #point: Uint8Array | undefined;

  private constructor(secretKey: Uint8Array) {
    this.#secretKey = secretKey;
  }

  static derive(seed: Seed, label: string): P384KeyPair {
    return new P384KeyPair(p384.utils.randomSecretKey(seed.derive(`key ${label}`, SCALAR_SEED_BYTES)));
  }

  /** Uncompressed point: 04, x, y. Calculated when first asked for, which takes some milliseconds. */
  get point(): Uint8Array {
    this.#point ??= p384.getPublicKey(this.#secretKey, false);
    return this.#point;
  }

  /** SubjectPublicKeyInfo, DER. */
  get subjectPublicKeyInfo(): Uint8Array<ArrayBuffer> {
    return Uint8Array.of(...SPKI_PREFIX, ...this.point);
  }

  /** Identifier of the key: SHA-1 of the point (RFC 5280 §4.2.1.2 (1)), hexadecimal. */
  get identifier(): string {
    return createHash('sha1').update(this.point).digest('hex');
  }

  /** ECDSA over SHA-384 of `message`: r and s one after the other, 96 bytes. As often high-S as not, like Nitro's. */
  sign(message: Uint8Array): Uint8Array {
    const digest = createHash('sha384').update(message).digest();
    return p384.sign(digest, this.#secretKey, { prehash: false, lowS: false, format: 'compact' });
  }
}
