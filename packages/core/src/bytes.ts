/** The two digits of every byte. */
const HEX = Array.from({ length: 256 }, (_, byte) => (byte + 0x100).toString(16).slice(1));

/** Lower-case hexadecimal text of `bytes`. */
export function encodeHex(bytes: Uint8Array): string {
  let text = '';
  // By index: an iterator takes four times as long.
  for (let index = 0; index < bytes.length; index += 1) text += HEX[bytes[index] ?? 0];
  return text;
}

/**
 * Bytes of hexadecimal `text`, either case, no prefix and no separators.
 * @throws {RangeError} when the length is odd or a character is not a hexadecimal digit.
 */
export function decodeHex(text: string): Uint8Array<ArrayBuffer> {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(text)) {
    throw new RangeError(`expected an even number of hexadecimal digits, found ${text.length} characters`);
  }
  const bytes = new Uint8Array(text.length / 2);
  for (let index = 0; index < bytes.length; index += 1) {
    bytes[index] = Number.parseInt(text.slice(index * 2, index * 2 + 2), 16);
  }
  return bytes;
}

/** Whether both hold the same bytes. Returns at the first difference: for public values only. */
export function bytesEqual(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  for (let index = 0; index < left.length; index += 1) {
    if (left[index] !== right[index]) return false;
  }
  return true;
}

/** Whether both hold the same bytes, in a time that depends on the lengths only: for nonces, keys and other bindings. */
export function constantTimeEqual(left: Uint8Array, right: Uint8Array): boolean {
  let difference = left.length ^ right.length;
  for (let index = 0; index < left.length; index += 1) {
    difference |= (left[index] ?? 0) ^ (right[index] ?? 0);
  }
  return difference === 0;
}

/**
 * A private copy of `bytes`, always a plain `Uint8Array`. Not `bytes.slice()`: that of a Node `Buffer` is a view, through
 * which the caller could change what has been checked.
 * @throws {TypeError} when it is no `Uint8Array`.
 */
export function copyBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  if (bytes instanceof Uint8Array) return new Uint8Array(bytes);
  throw new TypeError(`expected a Uint8Array, found ${typeof bytes}`);
}

/** One new array holding all `parts` in order. */
export function joinBytes(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

/** One new array holding all `parts` in order. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return joinBytes(parts);
}
