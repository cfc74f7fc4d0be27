import { copyBytes } from './bytes.ts';
import type { CborErrorCode, CborKey, CborMap, CborValue } from './cbor-value.ts';
import { refuseCbor } from './cbor-value.ts';

/** Bounds of one decoding; every count is checked before anything is allocated for it. */
export interface CborLimits {
  /** Longest input, in bytes. Default 65 536. */
  maxBytes?: number;
  /** Deepest nesting of arrays and maps. Default 8. */
  maxDepth?: number;
  /** Most items in all: values, keys, array elements. Default 4096. */
  maxItems?: number;
  /** Whether to read from a private copy. Default true; `false` for bytes that nobody else can write into. */
  copy?: boolean;
}

/** Additional information of an array or map that ends with a break. */
const INDEFINITE_LENGTH = 31;
/** Stands for the length of an indefinite-length array or map. */
const INDEFINITE = -1;
const BREAK = 0xff;

/** What the initial bytes from f4 on stand for. */
const FIRST_SIMPLE_VALUE = 0xf4;
const SIMPLE_VALUES = [false, true, null, undefined];

// `ignoreBOM` keeps a leading U+FEFF: dropped, two different keys would decode to one.
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Longest part of a key that an error quotes: keys of hostile input can be as long as the input. */
const QUOTED_CHARACTERS = 40;

/** Why an item of major type 7 with this additional information has no place in the profile. */
function codeOfSimple(information: number): CborErrorCode {
  if (information < 25) return 'CBOR_SIMPLE_VALUE';
  if (information < 28) return 'CBOR_FLOAT';
  return information < INDEFINITE_LENGTH ? 'CBOR_RESERVED_INFORMATION' : 'CBOR_UNEXPECTED_BREAK';
}

/**
 * A cursor over CBOR (RFC 8949) of the strict profile: integers within ±(2^53 − 1), definite byte and text strings, definite
 * and indefinite arrays and maps, false, true, null and undefined, everything in its shortest form. Tags, floats and
 * other simple values are refused. Reads from a copy of its own, made once the size is known to be allowed, so that a
 * caller's later writes change nothing that was read; byte strings are views of that copy.
 */
export class CborReader {
  readonly #bytes: Uint8Array;
  #offset = 0;
  /** Where the item that is being read begins: what an error points at. */
  #start = 0;
  readonly #maxDepth: number;
  #itemsLeft: number;

  constructor(bytes: Uint8Array, { maxBytes = 65_536, maxDepth = 8, maxItems = 4096, copy = true }: CborLimits = {}) {
    if (bytes.length > maxBytes) refuseCbor('CBOR_TOO_LARGE', 'CBOR', `at most ${maxBytes} bytes`, bytes.length, {});
    this.#bytes = copy ? copyBytes(bytes) : bytes;
    this.#maxDepth = maxDepth;
    this.#itemsLeft = maxItems;
  }

  #fail(code: CborErrorCode, expected: string, found?: unknown, details?: { cause: unknown }): never {
    const offset = this.#start;
    return refuseCbor(code, `CBOR at byte ${offset}`, expected, found, { ...details, offset });
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

  /** The next byte, whatever it is. */
  readByte(): number {
    this.#expectRemaining(1);
    this.#offset += 1;
    return this.#bytes[this.#offset - 1] ?? 0;
  }

  /** Reads the next item whole. */
  readValue(depth = 0): CborValue {
    this.#start = this.#offset;
    // Stops an input of a few bytes from making work without end (deep or wide nests of empty items).
    this.#itemsLeft -= 1;
    if (this.#itemsLeft < 0) this.#fail('CBOR_TOO_MANY_ITEMS', 'fewer items');
    const initial = this.readByte();
    const majorType = initial >> 5;
    if (majorType === 7) return this.#readSimple(initial);
    if (majorType === 6) this.#fail('CBOR_TAG', 'no tag');
    const argument = this.#readArgument(majorType, initial & 31);
    if (majorType < 2) return majorType === 0 ? argument : -1 - argument;
    if (majorType > 3) return this.#readNested(majorType === 4, argument, depth + 1);
    this.#expectRemaining(argument);
    this.#offset += argument;
    const content = this.encodedSince(this.#offset - argument);
    return majorType === 2 ? content : this.#decodeText(content);
  }

  /** Refuses anything after what was read: bytes there would be covered by nothing. */
  expectEnd(): void {
    this.#start = this.#offset;
    const extra = this.#bytes.length - this.#offset;
    if (extra > 0) this.#fail('CBOR_TRAILING_BYTES', 'the end', `${extra} bytes`);
  }

  /** The argument of an item of major type 0 to 5 (RFC 8949 §3), or `INDEFINITE`. */
  #readArgument(majorType: number, information: number): number {
    if (information < 24) return information;
    if (information === INDEFINITE_LENGTH && majorType > 1) {
      return majorType > 3 ? INDEFINITE : this.#fail('CBOR_INDEFINITE_STRING', 'a definite length', 'chunks');
    }
    if (information > 27) this.#fail('CBOR_RESERVED_INFORMATION', 'no reserved form', information);
    const size = 1 << (information - 24);
    let value = 0;
    for (let index = 0; index < size; index += 1) value = value * 256 + this.readByte();
    // A second form of the same integer or length would make two documents of one.
    if (value < (size === 1 ? 24 : 2 ** (size * 4))) this.#fail('CBOR_NOT_SHORTEST', 'the shortest form');
    if (!Number.isSafeInteger(majorType === 1 ? -1 - value : value)) {
      this.#fail('CBOR_INTEGER_RANGE', 'at most 2^53 - 1');
    }
    return value;
  }

  /** Refuses a length or count before anything is allocated for it. */
  #expectRemaining(length: number): void {
    if (length > this.#bytes.length - this.#offset) this.#fail('CBOR_TRUNCATED', `${length} bytes`, 'the end');
  }

  #decodeText(encoded: Uint8Array): string {
    try {
      return UTF8.decode(encoded);
    } catch (cause) {
      return this.#fail('CBOR_UTF8', 'UTF-8', undefined, { cause });
    }
  }

  #readNested(isArray: boolean, count: number, depth: number): CborValue[] | CborMap {
    const items = isArray ? count : count * 2;
    if (items > this.#itemsLeft) this.#fail('CBOR_TOO_MANY_ITEMS', 'fewer items', count);
    this.#expectRemaining(items);
    if (depth > this.#maxDepth) this.#fail('CBOR_TOO_DEEP', `at most ${this.#maxDepth} levels`);
    const elements: CborValue[] = [];
    const map: CborMap = new Map();
    for (let read = 0; count === INDEFINITE ? this.peek() !== BREAK : read < count; read += 1) {
      if (isArray) elements.push(this.readValue(depth));
      else map.set(this.#readKey(map, depth), this.readValue(depth));
    }
    if (count === INDEFINITE) this.#offset += 1;
    return isArray ? elements : map;
  }

  #readKey(map: CborMap, depth: number): CborKey {
    const start = this.#offset;
    const key = this.readValue(depth);
    this.#start = start;
    if (typeof key !== 'string' && typeof key !== 'number') {
      return this.#fail('CBOR_KEY_TYPE', 'an integer or text');
    }
    // First or last of two equal keys: two readers could each see another value.
    if (map.has(key)) {
      this.#fail('CBOR_DUPLICATE_KEY', 'each key once', JSON.stringify(key).slice(0, QUOTED_CHARACTERS));
    }
    return key;
  }

  #readSimple(initial: number): boolean | null | undefined {
    const index = initial - FIRST_SIMPLE_VALUE;
    if (index in SIMPLE_VALUES) return SIMPLE_VALUES[index];
    return this.#fail(codeOfSimple(initial & 31), 'false, true, null or undefined', `0x${initial.toString(16)}`);
  }
}
