import { copyBytes } from './bytes.ts';
import type { CborErrorCode, CborKey, CborMap, CborValue } from './cbor-value.ts';
import { CborError } from './cbor-value.ts';
import { explain } from './error.ts';

/** Bounds of one decoding; every count is checked before anything is allocated for it. */
export interface CborLimits {
  /** Longest input, in bytes. Default 65 536. */
  maxBytes?: number;
  /** Deepest nesting of arrays and maps. Default 8. */
  maxDepth?: number;
  /** Most items in all: values, keys, array elements. Default 4096. */
  maxItems?: number;
}

const INTEGER_RANGE = 'an integer within ±(2^53 - 1)';

/** Stands for the length of an indefinite-length array or map. */
const INDEFINITE = -1;

// `ignoreBOM` keeps a leading U+FEFF: dropped, two different keys would decode to one.
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Longest part of a key that an error quotes: keys of hostile input can be as long as the input. */
const QUOTED_CHARACTERS = 40;

function describeKey(key: CborKey): string {
  return typeof key === 'number' ? `${key}` : JSON.stringify(key.slice(0, QUOTED_CHARACTERS));
}

/**
 * A cursor over CBOR (RFC 8949) of the strict profile: integers within ±(2^53 − 1), definite byte and text strings, definite
 * and indefinite arrays and maps, false, true, null and undefined, everything in its shortest form. Tags, floats and
 * other simple values are refused. Reads from a copy of its own, made once the size is known to be allowed, so that a
 * caller's later writes change nothing that was read; byte strings are views of that copy.
 */
export class CborReader {
  readonly #bytes: Uint8Array;
  readonly #maxDepth: number;
  #itemsLeft: number;
  #offset = 0;

  constructor(bytes: Uint8Array, { maxBytes = 65_536, maxDepth = 8, maxItems = 4096 }: CborLimits = {}) {
    if (bytes.length > maxBytes) {
      throw new CborError('CBOR_TOO_LARGE', explain('CBOR', `at most ${maxBytes} bytes`, bytes.length));
    }
    this.#bytes = copyBytes(bytes);
    this.#maxDepth = maxDepth;
    this.#itemsLeft = maxItems;
  }

  /** Offset of the next byte to read. */
  get offset(): number {
    return this.#offset;
  }

  /** The initial byte of the next item, or `undefined` at the end. */
  peek(): number | undefined {
    return this.#bytes[this.#offset];
  }

  /** The bytes from `start` to what was read last, as encoded. */
  encodedSince(start: number): Uint8Array {
    return this.#bytes.subarray(start, this.#offset);
  }

  /** Passes over the next byte, whatever it is. */
  skipByte(): void {
    this.#next();
  }

  /** Reads the next item whole. */
  readValue(depth = 0): CborValue {
    const start = this.#offset;
    this.#countItem(start);
    const initial = this.#next();
    switch (initial >> 5) {
      case 0:
        return this.#readArgument(initial, start);
      case 1:
        return -1 - this.#readNegativeArgument(initial, start);
      case 2:
        return this.#readBytes(initial, start);
      case 3:
        return this.#readText(initial, start);
      case 4:
        return this.#readArray(this.#readCount(initial, start, 1), depth + 1, start);
      case 5:
        return this.#readMap(this.#readCount(initial, start, 2), depth + 1, start);
      case 6:
        return this.#fail('CBOR_TAG', start, 'no tag');
      default:
        return this.#readSimple(initial, start);
    }
  }

  /** Refuses anything after what was read: bytes there would be covered by nothing. */
  expectEnd(): void {
    const extra = this.#bytes.length - this.#offset;
    if (extra > 0) {
      this.#fail('CBOR_TRAILING_BYTES', this.#offset, 'the end', `${extra} bytes`);
    }
  }

  #next(): number {
    const byte = this.#bytes[this.#offset];
    if (byte === undefined) {
      return this.#fail('CBOR_TRUNCATED', this.#offset, 'another byte', 'the end');
    }
    this.#offset += 1;
    return byte;
  }

  /** Stops an input of a few bytes from making work without end (deep or wide nests of empty items). */
  #countItem(start: number): void {
    this.#itemsLeft -= 1;
    if (this.#itemsLeft < 0) this.#fail('CBOR_TOO_MANY_ITEMS', start, 'fewer items');
  }

  #readArgument(initial: number, start: number): number {
    const information = initial & 31;
    if (information < 24) return information;
    if (information > 27) {
      return this.#fail('CBOR_RESERVED_INFORMATION', start, 'no reserved form', information);
    }
    const size = 1 << (information - 24);
    let value = 0;
    for (let index = 0; index < size; index += 1) value = value * 256 + this.#next();
    // A second form of the same integer or length would make two documents of one.
    const floor = size === 1 ? 24 : 2 ** (size * 4);
    if (value < floor) this.#fail('CBOR_NOT_SHORTEST', start, 'the shortest form');
    if (value > Number.MAX_SAFE_INTEGER) this.#fail('CBOR_INTEGER_RANGE', start, INTEGER_RANGE);
    return value;
  }

  #readNegativeArgument(initial: number, start: number): number {
    const argument = this.#readArgument(initial, start);
    if (argument === Number.MAX_SAFE_INTEGER) {
      this.#fail('CBOR_INTEGER_RANGE', start, INTEGER_RANGE);
    }
    return argument;
  }

  #readStringLength(initial: number, start: number): number {
    if ((initial & 31) === 31) {
      this.#fail('CBOR_INDEFINITE_STRING', start, 'a definite length', 'chunks');
    }
    const length = this.#readArgument(initial, start);
    if (length > this.#bytes.length - this.#offset) {
      this.#fail('CBOR_TRUNCATED', start, `${length} bytes`, 'the end');
    }
    return length;
  }

  #readBytes(initial: number, start: number): Uint8Array {
    const length = this.#readStringLength(initial, start);
    this.#offset += length;
    return this.#bytes.subarray(this.#offset - length, this.#offset);
  }

  #readText(initial: number, start: number): string {
    const encoded = this.#readBytes(initial, start);
    try {
      return UTF8.decode(encoded);
    } catch (cause) {
      return this.#fail('CBOR_UTF8', start, 'UTF-8', 'other bytes', cause);
    }
  }

  /** The element count, or `INDEFINITE`; refused before allocation when the input cannot hold that many. */
  #readCount(initial: number, start: number, itemsEach: number): number {
    if ((initial & 31) === 31) return INDEFINITE;
    const count = this.#readArgument(initial, start);
    if (count * itemsEach > this.#itemsLeft) {
      this.#fail('CBOR_TOO_MANY_ITEMS', start, 'fewer items', count);
    }
    if (count * itemsEach > this.#bytes.length - this.#offset) {
      this.#fail('CBOR_TRUNCATED', start, `${count} entries`, 'the end');
    }
    return count;
  }

  #checkDepth(depth: number, start: number): void {
    if (depth > this.#maxDepth) this.#fail('CBOR_TOO_DEEP', start, `at most ${this.#maxDepth} nested levels`);
  }

  /** Whether an array or map of `count` entries ends after `read` of them; takes the break of an indefinite one. */
  #atEnd(count: number, read: number): boolean {
    if (count !== INDEFINITE) return read === count;
    if (this.peek() !== 0xff) return false;
    this.#offset += 1;
    return true;
  }

  #readArray(count: number, depth: number, start: number): CborValue[] {
    this.#checkDepth(depth, start);
    const elements: CborValue[] = [];
    while (!this.#atEnd(count, elements.length)) elements.push(this.readValue(depth));
    return elements;
  }

  #readMap(count: number, depth: number, start: number): CborMap {
    this.#checkDepth(depth, start);
    const map: CborMap = new Map();
    while (!this.#atEnd(count, map.size)) {
      const key = this.#readKey(map, depth);
      map.set(key, this.readValue(depth));
    }
    return map;
  }

  #readKey(map: CborMap, depth: number): CborKey {
    const start = this.#offset;
    const key = this.readValue(depth);
    if (typeof key !== 'string' && typeof key !== 'number') {
      return this.#fail('CBOR_KEY_TYPE', start, 'text or an integer as key');
    }
    // First or last of two equal keys: two readers could each see another value.
    if (map.has(key)) this.#fail('CBOR_DUPLICATE_KEY', start, 'each key once', describeKey(key));
    return key;
  }

  #readSimple(initial: number, start: number): boolean | null | undefined {
    switch (initial) {
      case 0xf4:
        return false;
      case 0xf5:
        return true;
      case 0xf6:
        return null;
      case 0xf7:
        return undefined;
      case 0xf9:
      case 0xfa:
      case 0xfb:
        return this.#fail('CBOR_FLOAT', start, 'no float');
      case 0xff:
        return this.#fail('CBOR_UNEXPECTED_BREAK', start, 'a value', 'a break');
      case 0xfc:
      case 0xfd:
      case 0xfe:
        return this.#fail('CBOR_RESERVED_INFORMATION', start, 'no reserved form', initial & 31);
      default:
        return this.#fail('CBOR_SIMPLE_VALUE', start, 'false, true, null or undefined');
    }
  }

  #fail(code: CborErrorCode, offset: number, expected: string, found?: unknown, cause?: unknown): never {
    const details = cause === undefined ? { offset } : { offset, cause };
    throw new CborError(code, explain(`CBOR at byte ${offset}`, expected, found), details);
  }
}
