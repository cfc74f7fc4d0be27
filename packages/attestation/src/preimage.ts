import { concatBytes } from '@nitro-enclaves/core';
import type { Binding } from './policy.ts';

/** The value of a register that nothing was measured into, and of PCR0, PCR1 and PCR2 in debug mode. */
export const ZERO_PCR: string = '0'.repeat(96);

const ZERO_PCR_BYTES = new Uint8Array(48);

/** Bytes of `text` in UTF-8. */
function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** What extending a zero register by `content` hashes. */
export function extendPreimage(content: Uint8Array): Uint8Array<ArrayBuffer> {
  return concatBytes(ZERO_PCR_BYTES, content);
}

/** What PCR3 hashes of a role's ARN, and PCR4 of an instance id (Nitro Enclaves User Guide, "PCR3", "PCR4"). */
export function textPreimage(text: string): Uint8Array<ArrayBuffer> {
  return extendPreimage(utf8(text));
}

/**
 * `purpose` and `content` behind a label, lengths first: no two pairs share an encoding, and nothing that another protocol
 * hashes begins like this.
 */
export function purposePreimage(label: string, { purpose, content }: Binding): Uint8Array<ArrayBuffer> {
  const name = utf8(purpose);
  const { length } = name;
  // An element keeps the lowest byte of what is stored in it.
  const lengthBytes = Uint8Array.of(length >> 24, length >> 16, length >> 8, length);
  return concatBytes(utf8(`nitro-enclaves ${label} v1\0`), lengthBytes, name, content);
}

/** Label of what {@link Binding} hashes. */
export const BINDING_LABEL = 'binding';
/** Label of what a commitment register hashes. */
export const COMMITMENT_LABEL = 'commitment';
