import type { KeyObject } from 'node:crypto';
import { createECDH, createHash, createPrivateKey, sign } from 'node:crypto';
import { p384 } from '@noble/curves/nist.js';
import type { Seed } from '../seed.ts';

/** Input of RFC 9380's hash_to_field for one P-384 scalar, so that no scalar is likelier than another. */
const SCALAR_SEED_BYTES = 72;
/** SubjectPublicKeyInfo of an uncompressed secp384r1 point, up to the point (RFC 5480 §2). */
const SPKI_PREFIX = Uint8Array.of(
  ...[0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01],
  ...[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00],
);

/** A signature over SHA-384 of `message`: r and s one after the other, 96 bytes. */
type Sign = (message: Uint8Array) => Uint8Array;

/** The same signature each time (RFC 6979): OpenSSL draws a nonce for each, and no document could be made twice. */
function reproducibly(secretKey: Uint8Array): Sign {
  return (message) => {
    const digest = createHash('sha384').update(message).digest();
    return p384.sign(digest, secretKey, { prehash: false, lowS: false, format: 'compact' });
  };
}

function toBase64Url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url');
}

/** By OpenSSL, in a fraction of the time. */
function quickly(secretKey: Uint8Array, point: Uint8Array): Sign {
  const jwk = {
    kty: 'EC',
    crv: 'P-384',
    d: toBase64Url(secretKey),
    x: toBase64Url(point.subarray(1, 49)),
    y: toBase64Url(point.subarray(49)),
  };
  const key: KeyObject = createPrivateKey({ key: jwk, format: 'jwk' });
  return (message) => new Uint8Array(sign('sha384', message, { key, dsaEncoding: 'ieee-p1363' }));
}

function publicPoint(secretKey: Uint8Array): Uint8Array {
  const ecdh = createECDH('secp384r1');
  ecdh.setPrivateKey(secretKey);
  return new Uint8Array(ecdh.getPublicKey());
}

/** A P-384 key pair that a seed determines; so are its signatures, where the seed was chosen. */
export class P384KeyPair {
  /** Uncompressed point: 04, x, y. */
  readonly point: Uint8Array;
  /** ECDSA over SHA-384 of `message`: r and s one after the other, 96 bytes. As often high-S as not, like Nitro's. */
  readonly sign: Sign;

  private constructor(secretKey: Uint8Array, isReproducible: boolean) {
    this.point = publicPoint(secretKey);
    this.sign = isReproducible ? reproducibly(secretKey) : quickly(secretKey, this.point);
  }

  static derive(seed: Seed, label: string): P384KeyPair {
    const secretKey = p384.utils.randomSecretKey(seed.derive(`key ${label}`, SCALAR_SEED_BYTES));
    return new P384KeyPair(secretKey, seed.isChosen);
  }

  /** SubjectPublicKeyInfo, DER. */
  get subjectPublicKeyInfo(): Uint8Array<ArrayBuffer> {
    return Uint8Array.of(...SPKI_PREFIX, ...this.point);
  }

  /** Identifier of the key: SHA-1 of the point (RFC 5280 §4.2.1.2 (1)), hexadecimal. */
  get identifier(): string {
    return createHash('sha1').update(this.point).digest('hex');
  }
}
