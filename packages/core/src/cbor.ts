import { concatBytes, joinBytes } from './bytes.ts';
import type { CborLimits } from './cbor-reader.ts';
import { CborReader } from './cbor-reader.ts';
import type { CborKey, CborValue } from './cbor-value.ts';
import { CborError } from './cbor-value.ts';

/** Options of {@link decodeCbor}. */
export interface DecodeCborOptions extends CborLimits {
  /** The one tag, 0 to 23, that the outermost item may carry (and need not): passed over when there. Default: no tag. */
  rootTag?: number;
}

/**
 * Decodes exactly one item of the strict CBOR profile (see {@link CborReader}) from a private copy of `bytes`, so that
 * the caller's later writes change nothing. Source: RFC 8949.
 * @throws {CborError} with the code of the first rule that the bytes break.
 */
export function decodeCbor(bytes: Uint8Array, { rootTag, ...limits }: DecodeCborOptions = {}): CborValue {
  const reader = new CborReader(bytes, limits);
  if (rootTag !== undefined && reader.peek() === (0xc0 | rootTag)) reader.readByte();
  const value = reader.readValue();
  reader.expectEnd();
  return value;
}

/** Initial byte and shortest argument of an item of `majorType` (0 to 7). */
export function encodeHead(majorType: number, argument: number): Uint8Array<ArrayBuffer> {
  if (argument < 24) return Uint8Array.of((majorType << 5) | argument);
  let size = 1;
  let information = 24;
  for (; argument >= 256 ** size; size *= 2) information += 1;
  const head = (majorType << 5) | information;
  // An element keeps the lowest byte of what is stored in it.
  return Uint8Array.from({ length: 1 + size }, (_, index) => (index === 0 ? head : argument / 256 ** (size - index)));
}

const SIMPLE: ReadonlyMap<boolean | null | undefined, number> = new Map([
  [false, 0xf4],
  [true, 0xf5],
  [null, 0xf6],
  [undefined, 0xf7],
]);

/** A value that {@link encodeCbor} takes: a {@link CborValue} whose arrays and maps may be read-only. */
export type CborInput =
  | number
  | string
  | boolean
  | null
  | undefined
  | Uint8Array
  | readonly CborInput[]
  | ReadonlyMap<CborKey, CborInput>;

function encodeInteger(value: number): Uint8Array<ArrayBuffer> {
  if (!Number.isSafeInteger(value) || Object.is(value, -0)) {
    throw new CborError('CBOR_UNSUPPORTED_VALUE', `expected an integer within ±(2^53 - 1), found ${value}`);
  }
  return value >= 0 ? encodeHead(0, value) : encodeHead(1, -1 - value);
}

function compareBytes(left: Uint8Array, right: Uint8Array): number {
  const length = Math.min(left.length, right.length);
  for (let index = 0; index < length; index += 1) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

/** Deepest nesting that is encoded: a value that contains itself has no end. */
const MAX_DEPTH = 64;

function encodeKey(key: CborKey, depth: number): Uint8Array<ArrayBuffer> {
  if (typeof key === 'string' || typeof key === 'number') return encodeItem(key, depth);
  throw new CborError('CBOR_UNSUPPORTED_VALUE', `expected a map key that is text or an integer, found ${typeof key}`);
}

function encodeMap(map: ReadonlyMap<CborKey, CborInput>, depth: number): Uint8Array<ArrayBuffer> {
  const entries = Array.from(map, ([key, value]) => ({ key: encodeKey(key, depth), value: encodeItem(value, depth) }));
  entries.sort((left, right) => compareBytes(left.key, right.key));
  return joinBytes([encodeHead(5, map.size), ...entries.flatMap(({ key, value }) => [key, value])]);
}

function encodeArray(array: readonly CborInput[], depth: number): Uint8Array<ArrayBuffer> {
  return joinBytes([encodeHead(4, array.length), ...Array.from(array, (item) => encodeItem(item, depth))]);
}

function encodeText(value: string): Uint8Array<ArrayBuffer> {
  // UTF-8 has no lone surrogates: replaced, two different keys would become one.
  if (/\p{Surrogate}/u.test(value)) {
    throw new CborError('CBOR_UNSUPPORTED_VALUE', 'expected text of Unicode characters, found a lone surrogate');
  }
  const text = new TextEncoder().encode(value);
  return concatBytes(encodeHead(3, text.length), text);
}

function encodeItem(value: CborInput, depth: number): Uint8Array<ArrayBuffer> {
  if (depth > MAX_DEPTH) throw new CborError('CBOR_TOO_DEEP', `expected at most ${MAX_DEPTH} nested levels`);
  if (typeof value === 'number') return encodeInteger(value);
  if (typeof value === 'string') return encodeText(value);
  if (value instanceof Uint8Array) return concatBytes(encodeHead(2, value.length), value);
  if (Array.isArray(value)) return encodeArray(value, depth + 1);
  if (value instanceof Map) return encodeMap(value, depth + 1);
  if (value === null || value === undefined || typeof value === 'boolean') {
    return Uint8Array.of(SIMPLE.get(value) ?? 0xf7);
  }
  throw new CborError('CBOR_UNSUPPORTED_VALUE', `expected a value of the CBOR profile, found ${typeof value}`);
}

/**
 * Encodes `value` deterministically (RFC 8949 §4.2.1): shortest forms, definite lengths, map keys in the order of their
 * encoded bytes. {@link decodeCbor} gives the same value back, within its limits.
 * @throws {CborError} `CBOR_UNSUPPORTED_VALUE` for anything outside the profile (fractions, bigints, dates, objects, lone
 *   surrogates, map keys that are neither text nor integers), `CBOR_TOO_DEEP` beyond 64 levels.
 */
export function encodeCbor(value: CborInput): Uint8Array<ArrayBuffer> {
  return encodeItem(value, 0);
}
