import { concatBytes, DER_TAG } from '@nitro-enclaves/core';

/** Minimal length octets (X.690 §10.1) of a content of at most 65 535 bytes. */
function encodeLength(length: number): Uint8Array {
  if (length < 0x80) return Uint8Array.of(length);
  if (length < 0x100) return Uint8Array.of(0x81, length);
  return Uint8Array.of(0x82, length >> 8, length & 0xff);
}

/** One DER element: `tag`, length, and the contents one after the other. */
export function encodeDer(tag: number, ...contents: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const content = concatBytes(...contents);
  return concatBytes(Uint8Array.of(tag), encodeLength(content.length), content);
}

/** A non-negative INTEGER from its big-endian bytes. */
export function encodeDerInteger(unsigned: Uint8Array): Uint8Array<ArrayBuffer> {
  const first = unsigned.findIndex((byte) => byte !== 0);
  const magnitude = first < 0 ? Uint8Array.of(0) : unsigned.subarray(first);
  return (magnitude[0] ?? 0) >= 0x80
    ? encodeDer(DER_TAG.INTEGER, Uint8Array.of(0), magnitude)
    : encodeDer(DER_TAG.INTEGER, magnitude);
}

/** A BIT STRING of whole bytes. */
export function encodeDerBitString(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return encodeDer(DER_TAG.BIT_STRING, Uint8Array.of(0), bytes);
}

/** Ecdsa-Sig-Value (RFC 3279 §2.2.3) of a signature that is r and s one after the other. */
export function encodeEcdsaSignature(signature: Uint8Array): Uint8Array<ArrayBuffer> {
  const half = signature.length / 2;
  return encodeDer(
    DER_TAG.SEQUENCE,
    encodeDerInteger(signature.subarray(0, half)),
    encodeDerInteger(signature.subarray(half)),
  );
}
