import { encodeHex } from '@nitro-enclaves/core';

/** Length of a coordinate, of r and of s, in bytes. */
export const P384_FIELD_BYTES = 48;
/** Length of an uncompressed point: 04, x, y. */
export const P384_POINT_BYTES = 97;
/** Length of a signature, r and s one after the other (RFC 9053 §2.1). */
export const P384_SIGNATURE_BYTES = 96;

// Curve P-384 (FIPS 186-5, SP 800-186 §3.2.1.4): y² = x³ − 3x + B over the field of P, group order N.
const P = 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n;
const B = 0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aefn;
/** N, in hexadecimal: texts of one length compare as their numbers do. */
const ORDER = 'ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973';

function toInteger(bytes: Uint8Array): bigint {
  return BigInt(`0x${encodeHex(bytes)}`);
}

/** Whether `point` is 04, x, y of the right length (SEC 1 §2.3.3); compressed, hybrid and infinite points are not. */
export function isUncompressedPoint(point: Uint8Array): boolean {
  return point.length === P384_POINT_BYTES && point[0] === 4;
}

/** Whether an uncompressed point has coordinates below P and lies on the curve. */
export function isOnCurve(point: Uint8Array): boolean {
  const x = toInteger(point.subarray(1, 1 + P384_FIELD_BYTES));
  const y = toInteger(point.subarray(1 + P384_FIELD_BYTES));
  return x < P && y < P && (y * y - (x * x * x - 3n * x + B)) % P === 0n;
}

/** What {@link isSignatureInRange} asks for. */
export const SIGNATURE_RANGE = 'r and s from 1 to the group order';

/** Whether 0 < number < N. */
function isBelowOrder(number: Uint8Array): boolean {
  return encodeHex(number) < ORDER && number.some((byte) => byte !== 0);
}

/** Whether 0 < r < N and 0 < s < N (FIPS 186-5 §6.4.2). High s is allowed: half of the genuine signatures have it. */
export function isSignatureInRange(signature: Uint8Array): boolean {
  return isBelowOrder(signature.subarray(0, P384_FIELD_BYTES)) && isBelowOrder(signature.subarray(P384_FIELD_BYTES));
}
