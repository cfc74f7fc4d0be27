import { createHash, randomBytes } from 'node:crypto';
import { bytesEqual, concatBytes } from '@nitro-enclaves/core';

/** Hash functions of the signing algorithms. */
export type SigningHash = 'sha256' | 'sha384' | 'sha512';

const TRAILER = 0xbc;
const ZEROS = new Uint8Array(8);
/** The modulus has whole bytes, so the encoded message leaves its first bit free (RFC 8017 §9.1.1: emBits = modBits - 1). */
const FIRST_BYTE_MASK = 0x7f;

function hashOf(hash: SigningHash, ...parts: readonly Uint8Array[]): Uint8Array {
  return createHash(hash)
    .update(concatBytes(...parts))
    .digest();
}

/** MGF1 (RFC 8017 §B.2.1). */
function mask(seed: Uint8Array, length: number, hash: SigningHash): Uint8Array {
  const blocks: Uint8Array[] = [];
  for (let counter = 0, made = 0; made < length; counter += 1) {
    const block = hashOf(hash, seed, Uint8Array.of(counter >>> 24, counter >>> 16, counter >>> 8, counter));
    blocks.push(block);
    made += block.length;
  }
  return concatBytes(...blocks).subarray(0, length);
}

function xor(left: Uint8Array, right: Uint8Array): Uint8Array {
  const result = left.map((byte, index) => byte ^ (right[index] ?? 0));
  result[0] = (result[0] ?? 0) & FIRST_BYTE_MASK;
  return result;
}

/** EMSA-PSS-ENCODE (RFC 8017 §9.1.1) of a digest into `length` bytes, with a salt as long as the digest. */
export function encodePss(digest: Uint8Array, length: number, hash: SigningHash): Uint8Array {
  const salt = randomBytes(digest.length);
  const inner = hashOf(hash, ZEROS, digest, salt);
  const padding = new Uint8Array(length - salt.length - inner.length - 2);
  const block = concatBytes(padding, Uint8Array.of(1), salt);
  return concatBytes(xor(block, mask(inner, block.length, hash)), inner, Uint8Array.of(TRAILER));
}

/** EMSA-PSS-VERIFY (RFC 8017 §9.1.2). */
export function verifyPss(encoded: Uint8Array, digest: Uint8Array, hash: SigningHash): boolean {
  const blockLength = encoded.length - digest.length - 1;
  const masked = encoded.subarray(0, blockLength);
  const inner = encoded.subarray(blockLength, blockLength + digest.length);
  if (encoded[encoded.length - 1] !== TRAILER || ((masked[0] ?? 0) & ~FIRST_BYTE_MASK) !== 0) return false;
  const block = xor(masked, mask(inner, blockLength, hash));
  const separator = blockLength - digest.length - 1;
  if (block[separator] !== 1 || block.subarray(0, separator).some((byte) => byte !== 0)) return false;
  return bytesEqual(hashOf(hash, ZEROS, digest, block.subarray(separator + 1)), inner);
}
