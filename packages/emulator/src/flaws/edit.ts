import { concatBytes } from '@nitro-enclaves/core';
import { EmulatorError } from '../error.ts';
import { encodeDer } from '../pki/der-writer.ts';
import { encodeValue } from '../pki/document.ts';

/** Bytes of numbers. */
export function bytesOf(...bytes: readonly number[]): Uint8Array {
  return Uint8Array.from(bytes);
}

function indexOf(bytes: Uint8Array, found: Uint8Array, from: number): number {
  for (let start = from; start + found.length <= bytes.length; start += 1) {
    if (found.every((byte, index) => bytes[start + index] === byte)) return start;
  }
  throw new EmulatorError(
    'EMULATOR_FLAW_IMPOSSIBLE',
    `expected ${found.length} bytes to replace, found none that match`,
  );
}

/** Replaces the first `found` at or after `from` with as many bytes. */
export function replaceBytes(
  bytes: Uint8Array,
  { found, replacement, from = 0 }: { found: Uint8Array; replacement: Uint8Array; from?: number },
): Uint8Array {
  const edited = bytes.slice();
  edited.set(replacement, indexOf(bytes, found, from));
  return edited;
}

/** Flips the lowest bit of the byte at `index`; negative counts from the end. */
export function flipBit(bytes: Uint8Array, index: number): Uint8Array {
  const edited = bytes.slice();
  const at = index < 0 ? bytes.length + index : index;
  edited[at] = (edited[at] ?? 0) ^ 1;
  return edited;
}

const SEQUENCE = 0x30;
const LONG_HEAD = 4;

/** The SEQUENCE (of 256 to 65 535 bytes) with its content edited and its length written anew. */
export function editSequence(encoded: Uint8Array, edit: (content: Uint8Array) => Uint8Array): Uint8Array {
  return encodeDer(SEQUENCE, edit(encoded.subarray(LONG_HEAD)));
}

/** A CBOR map head, definite or indefinite, of fewer than 23 entries. */
function isIndefinite(payload: Uint8Array): boolean {
  return payload[0] === 0xbf;
}

/** Adds an entry, given encoded, at the end of the payload's map, whichever form the map has. */
export function appendEntry(payload: Uint8Array, key: Uint8Array, value: Uint8Array): Uint8Array {
  if (isIndefinite(payload)) return concatBytes(payload.subarray(0, -1), key, value, payload.subarray(-1));
  return concatBytes(bytesOf((payload[0] ?? 0) + 1), payload.subarray(1), key, value);
}

/** Adds an unknown field with `value`, given encoded. */
export function appendUnknownField(payload: Uint8Array, value: Uint8Array): Uint8Array {
  return appendEntry(payload, encodeValue('x_flaw'), value);
}
