import { explain, NitroEnclavesError } from './error.ts';

/** Why bytes are not strict DER. */
export type DerErrorCode =
  | 'DER_TRUNCATED'
  | 'DER_TAG'
  | 'DER_LENGTH'
  | 'DER_TRAILING_BYTES'
  | 'DER_INTEGER'
  | 'DER_BOOLEAN'
  | 'DER_BIT_STRING'
  | 'DER_OBJECT_IDENTIFIER'
  | 'DER_TIME'
  | 'DER_DEFAULT_ENCODED';

/** The bytes break a rule of DER (X.690 §8, §10, §11). */
export class DerError extends NitroEnclavesError<DerErrorCode> {}

/** Identifier octets that certificates use (X.690 §8.1.2, RFC 5280). */
export const DER_TAG = {
  BOOLEAN: 0x01,
  INTEGER: 0x02,
  BIT_STRING: 0x03,
  OCTET_STRING: 0x04,
  NULL: 0x05,
  OBJECT_IDENTIFIER: 0x06,
  UTF8_STRING: 0x0c,
  PRINTABLE_STRING: 0x13,
  IA5_STRING: 0x16,
  UTC_TIME: 0x17,
  GENERALIZED_TIME: 0x18,
  SEQUENCE: 0x30,
  SET: 0x31,
} as const;

/** One element: `whole` with its tag and length, `content` without. Both are views of the input. */
export interface DerElement {
  readonly tag: number;
  readonly whole: Uint8Array;
  readonly content: Uint8Array;
}

/** A BIT STRING: `unusedBits` (0 to 7) at the end of the last byte carry nothing. */
export interface DerBitString {
  readonly unusedBits: number;
  readonly bytes: Uint8Array;
}

function fail(code: DerErrorCode, expected: string, found?: unknown, offset?: number): never {
  throw new DerError(code, explain('DER', expected, found), offset === undefined ? {} : { offset });
}

const ANOTHER_BYTE = 'another byte';
const SHORTEST = 'the shortest form';

function hexTag(tag: number): string {
  return `tag 0x${tag.toString(16).padStart(2, '0')}`;
}

/**
 * A bounded cursor over strict DER: one-byte tags, minimal definite lengths of at most four bytes, minimal integers,
 * booleans 00 and ff only, times as RFC 5280 writes them. A caller reads each element by its tag and ends with
 * {@link DerReader.expectEnd}, so that nothing is passed over unseen.
 */
export class DerReader {
  readonly #bytes: Uint8Array;
  #offset = 0;
  #end: number;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#end = bytes.length;
  }

  /** The next element's tag, or `undefined` at the end. */
  peekTag(): number | undefined {
    return this.#offset < this.#end ? this.#bytes[this.#offset] : undefined;
  }

  /** Refuses anything after what was read. */
  expectEnd(): void {
    const extra = this.#end - this.#offset;
    if (extra > 0) fail('DER_TRAILING_BYTES', 'the end', `${extra} bytes`, this.#offset);
  }

  /** Reads the next element, which must carry `tag`. */
  read(tag: number): DerElement {
    const start = this.#offset;
    const contentStart = this.#pass(tag);
    const end = this.#offset;
    return { tag, whole: this.#bytes.subarray(start, end), content: this.#bytes.subarray(contentStart, end) };
  }

  /** Reads the next element, whatever its tag, of the low-tag-number form. */
  readAny(): DerElement {
    const tag = this.peekTag();
    if (tag === undefined) return fail('DER_TRUNCATED', ANOTHER_BYTE, 'the end', this.#offset);
    if ((tag & 0x1f) === 0x1f) fail('DER_TAG', 'a tag of one byte', hexTag(tag), this.#offset);
    return this.read(tag);
  }

  /** Reads the next element if it carries `tag`. */
  readOptional(tag: number): DerElement | undefined {
    return this.peekTag() === tag ? this.read(tag) : undefined;
  }

  /** A cursor over the content of the next element, which must carry `tag`. */
  enter(tag: number): DerReader {
    const start = this.#pass(tag);
    const inner = new DerReader(this.#bytes);
    inner.#offset = start;
    inner.#end = this.#offset;
    return inner;
  }

  /** Content of an INTEGER, two's complement, minimal. */
  readInteger(): Uint8Array {
    const content = this.#readContent(DER_TAG.INTEGER);
    const [first, second] = content;
    if (first === undefined) return fail('DER_INTEGER', ANOTHER_BYTE, 'the end');
    const padded = second !== undefined && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80));
    if (padded) fail('DER_INTEGER', SHORTEST, 'padding');
    return content;
  }

  /** A small INTEGER (0 to 2^31 − 1), such as a version or a path length. */
  readSmallInteger(): number {
    const content = this.readInteger();
    const negative = (content[0] ?? 0) >= 0x80;
    if (negative || content.length > 4) fail('DER_INTEGER', '0 to 2^31 - 1');
    return content.reduce((value, byte) => value * 256 + byte, 0);
  }

  /** A BOOLEAN whose DEFAULT is FALSE: absent, or encoded as TRUE. DER writes no default (X.690 §11.5). */
  readBooleanDefaultFalse(): boolean {
    if (this.peekTag() !== DER_TAG.BOOLEAN) return false;
    const content = this.#readContent(DER_TAG.BOOLEAN);
    if (content.length !== 1) fail('DER_BOOLEAN', 'one byte', content.length);
    if (content[0] === 0) fail('DER_DEFAULT_ENCODED', 'the default left out', 'FALSE');
    if (content[0] !== 0xff) fail('DER_BOOLEAN', '0xff', content[0]);
    return true;
  }

  /** An OBJECT IDENTIFIER in dotted decimals. */
  readObjectIdentifier(): string {
    return formatObjectIdentifier(this.#readContent(DER_TAG.OBJECT_IDENTIFIER));
  }

  /** A BIT STRING whose unused bits are zero (X.690 §11.2.1). */
  readBitString(): DerBitString {
    const content = this.#readContent(DER_TAG.BIT_STRING);
    const unusedBits = content[0];
    const bytes = content.subarray(1);
    if (unusedBits === undefined || unusedBits > 7 || (bytes.length === 0 && unusedBits > 0)) {
      return fail('DER_BIT_STRING', '0 to 7 unused bits', unusedBits);
    }
    const last = bytes.at(-1) ?? 0;
    if ((last & ((1 << unusedBits) - 1)) !== 0) fail('DER_BIT_STRING', 'zeros as unused bits');
    return { unusedBits, bytes };
  }

  /** A Time (RFC 5280 §4.1.2.5): UTCTime to 2049, GeneralizedTime from 2050, in seconds and Z. In ms since the epoch. */
  readTime(): number {
    const tag = this.peekTag() === DER_TAG.GENERALIZED_TIME ? DER_TAG.GENERALIZED_TIME : DER_TAG.UTC_TIME;
    return parseTime(tag, this.#readContent(tag));
  }

  /** Passes over the next element, which must carry `tag`, and gives the offset of its content. */
  #pass(tag: number): number {
    const start = this.#offset;
    const found = this.#next();
    if (found !== tag) fail('DER_TAG', hexTag(tag), hexTag(found), start);
    const length = this.#readLength();
    const contentStart = this.#offset;
    if (length > this.#end - contentStart) fail('DER_TRUNCATED', `${length} bytes`, 'the end', start);
    this.#offset = contentStart + length;
    return contentStart;
  }

  #readContent(tag: number): Uint8Array {
    const start = this.#pass(tag);
    return this.#bytes.subarray(start, this.#offset);
  }

  #next(): number {
    const byte = this.peekTag();
    if (byte === undefined) return fail('DER_TRUNCATED', ANOTHER_BYTE, 'the end', this.#offset);
    this.#offset += 1;
    return byte;
  }

  #readLength(): number {
    const start = this.#offset;
    const first = this.#next();
    if (first < 0x80) return first;
    const size = first & 0x7f;
    if (size === 0 || size > 4) fail('DER_LENGTH', 'a definite length of at most four bytes', undefined, start);
    let length = 0;
    for (let index = 0; index < size; index += 1) length = length * 256 + this.#next();
    if (length < 0x80 || length < 2 ** (8 * (size - 1))) fail('DER_LENGTH', SHORTEST, undefined, start);
    return length;
  }
}

function formatObjectIdentifier(content: Uint8Array): string {
  const arcs: number[] = [];
  let arc = 0;
  let fresh = true;
  for (const byte of content) {
    if ((fresh && byte === 0x80) || arc > 0xff_ffff)
      fail('DER_OBJECT_IDENTIFIER', 'arcs of at most 31 bits in the shortest form');
    arc = arc * 128 + (byte & 0x7f);
    fresh = byte < 0x80;
    if (fresh) {
      arcs.push(arc);
      arc = 0;
    }
  }
  const [head, ...rest] = arcs;
  if (head === undefined || !fresh) return fail('DER_OBJECT_IDENTIFIER', ANOTHER_BYTE, 'the end');
  const root = Math.min(Math.floor(head / 40), 2);
  return [root, head - root * 40, ...rest].join('.');
}

function parseTime(tag: number, content: Uint8Array): number {
  const text = String.fromCharCode(...content.subarray(0, 16));
  const general = tag === DER_TAG.GENERALIZED_TIME;
  if (!(general ? /^\d{14}Z$/ : /^\d{12}Z$/).test(text)) {
    fail('DER_TIME', `${general ? 'YYYY' : 'YY'}MMDDHHMMSSZ`, JSON.stringify(text));
  }
  const century = general ? '' : Number(text.slice(0, 2)) >= 50 ? '19' : '20';
  const digits = century + text;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = [0, 4, 6, 8, 10, 12].map((at, field) =>
    Number(digits.slice(at, at + (field === 0 ? 4 : 2))),
  );
  // RFC 5280 §4.1.2.5: two forms of one moment would be two encodings of one certificate.
  if (general && year < 2050) fail('DER_TIME', 'UTCTime before 2050', year);
  const time = Date.UTC(year, month - 1, day, hour, minute, second);
  // Date.UTC rolls 30 February over into March: written back, only a real date is the same.
  if (new Date(time).toISOString().replace(/[-:T]|\.000/g, '') !== digits) {
    fail('DER_TIME', 'a date of the calendar', JSON.stringify(text));
  }
  return time;
}
