import { encodeHex } from '@nitro-enclaves/core';

/** Length of a coordinate, of r and of s, in bytes. */
export const P384_FIELD_BYTES = 48;
/** Length of an uncompressed point: 04, x, y. */
export const P384_POINT_BYTES = 97;
/** Length of a signature, r and s one after the other (RFC 9053 §2.1). */
export const P384_SIGNATURE_BYTES = 96;

/** The group order of P-384 (SP 800-186 §3.2.1.4), in hexadecimal: texts of one length compare as their numbers do. */
const ORDER = 'ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973';

/** Whether `point` is 04, x, y of the right length (SEC 1 §2.3.3); compressed, hybrid and infinite points are not. */
export function isUncompressedPoint(point: Uint8Array): boolean {
  return point.length === P384_POINT_BYTES && point[0] === 4;
}

/** What {@link isSignatureInRange} asks for; n is the group order. */
export const SIGNATURE_RANGE = 'r and s from 1 to n - 1';

/** Whether 0 < number < ORDER. Nearly always the first byte tells. */
function isBelowOrder(number: Uint8Array): boolean {
  return (number[0] !== 0xff || encodeHex(number) < ORDER) && number.some((byte) => byte !== 0);
}

/** Whether 0 < r < ORDER and 0 < s < ORDER (FIPS 186-5 §6.4.2). High s is allowed: half of the genuine signatures have it. */
export function isSignatureInRange(signature: Uint8Array): boolean {
  return isBelowOrder(signature.subarray(0, P384_FIELD_BYTES)) && isBelowOrder(signature.subarray(P384_FIELD_BYTES));
}
