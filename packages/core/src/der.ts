import * as DER_TAG from './der-tag.ts';
import type { Refuse } from './error.ts';
import { NitroEnclavesError, refuseWith } from './error.ts';

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

const refuse: Refuse<DerErrorCode> = refuseWith(DerError);

/** Marks a tag of several bytes (X.690 §8.1.2.4). */
const LONG_TAG = 0x1f;

function formatTag(tag: number): string {
  return `tag 0x${tag.toString(16)}`;
}

/** Month, day, hour, minute and second, behind the year. */
const TIME = /(..)(..)(..)(..)(..)Z$/;

/**
 * A bounded cursor over strict DER: one-byte tags, minimal definite lengths of at most four bytes, minimal integers,
 * booleans 00 and ff only, times as RFC 5280 writes them. A caller reads each element by its tag and ends with
 * {@link DerReader.expectEnd}, so that nothing is passed over unseen.
 */
export class DerReader {
  readonly #bytes: Uint8Array;
  #offset: number;
  readonly #end: number;

  /** @param end where the elements end that begin at `start`, in bytes. */
  constructor(bytes: Uint8Array, start = 0, end: number = bytes.length) {
    this.#bytes = bytes;
    this.#offset = start;
    this.#end = end;
  }

  #fail(code: DerErrorCode, expected: string, found?: unknown): never {
    return refuse(code, 'DER', expected, found, { offset: this.#offset });
  }

  /** The next element's tag, or `undefined` at the end. */
  peekTag(): number | undefined {
    return this.#offset < this.#end ? this.#bytes[this.#offset] : undefined;
  }

  /** Refuses anything after what was read. */
  expectEnd(): void {
    const extra = this.#end - this.#offset;
    if (extra > 0) this.#fail('DER_TRAILING_BYTES', 'the end', `${extra} bytes`);
  }

  /** Reads the next element, which must carry `tag`. */
  read(tag: number): DerElement {
    const start = this.#offset;
    const content = this.#readContent(tag);
    return { tag, whole: this.encodedSince(start), content };
  }

  /** Reads the next element, whatever its tag, of the low-tag-number form. */
  readAny(): DerElement {
    const tag = this.peekTag() ?? this.#readByte();
    if ((tag & LONG_TAG) === LONG_TAG) this.#fail('DER_TAG', 'a tag of one byte', formatTag(tag));
    return this.read(tag);
  }

  /** Reads the next element if it carries `tag`. */
  readOptional(tag: number): DerElement | undefined {
    return this.peekTag() === tag ? this.read(tag) : undefined;
  }

  /** A cursor over the content of the next element, which must carry `tag`. */
  enter(tag: number = DER_TAG.SEQUENCE): DerReader {
    return new DerReader(this.#bytes, this.#pass(tag), this.#offset);
  }

  /** The bytes from `start` to what was read last, as encoded. */
  encodedSince(start: number): Uint8Array {
    return this.#bytes.subarray(start, this.#offset);
  }

  /** The next element as encoded, which must be a SEQUENCE. */
  readWholeSequence(): Uint8Array {
    const start = this.#offset;
    this.#pass(DER_TAG.SEQUENCE);
    return this.encodedSince(start);
  }

  /**
   * Reads the next element, which must carry `tag`; `read` takes its content and must leave nothing of it. It is told where
   * the element begins, for {@link DerReader.encodedSince}.
   */
  readSequence<T>(read: (fields: DerReader, start: number) => T, tag: number = DER_TAG.SEQUENCE): T {
    const start = this.#offset;
    const fields = this.enter(tag);
    const value = read(fields, start);
    fields.expectEnd();
    return value;
  }

  /** Content of an INTEGER, two's complement, minimal. */
  readInteger(): Uint8Array {
    const content = this.#readContent(DER_TAG.INTEGER);
    const [first = 0, second = 0] = content;
    const isPadded = first === (second < 0x80 ? 0 : 0xff) && content.length > 1;
    if (isPadded || content.length === 0) this.#fail('DER_INTEGER', 'the shortest form');
    return content;
  }

  /** A small INTEGER (0 to 2^31 − 1), such as a version or a path length. */
  readSmallInteger(): number {
    const content = this.readInteger();
    const [first = 0] = content;
    if (first >= 0x80 || content.length > 4) this.#fail('DER_INTEGER', '0 to 2^31 - 1');
    return content.reduce((value, byte) => value * 256 + byte, 0);
  }

  /** A BOOLEAN whose DEFAULT is FALSE: absent, or encoded as TRUE. DER writes no default (X.690 §11.5). */
  readBooleanDefaultFalse(): boolean {
    if (this.peekTag() !== DER_TAG.BOOLEAN) return false;
    const content = this.#readContent(DER_TAG.BOOLEAN);
    const [byte] = content;
    if (content.length === 1 && byte === 0xff) return true;
    const code = content.length === 1 && byte === 0 ? 'DER_DEFAULT_ENCODED' : 'DER_BOOLEAN';
    return this.#fail(code, 'ff, or none', byte);
  }

  /** An OBJECT IDENTIFIER in dotted decimals. */
  readObjectIdentifier(): string {
    let text = '';
    let arc = 0;
    let isEnded = false;
    for (let index = this.#pass(DER_TAG.OBJECT_IDENTIFIER); index < this.#offset; index += 1) {
      const byte = this.#bytes[index] ?? 0;
      const isPadding = arc === 0 && byte === 0x80;
      if (isPadding || arc > 0xff_ffff) {
        this.#fail('DER_OBJECT_IDENTIFIER', 'the shortest form, of at most 31 bits');
      }
      arc = arc * 128 + (byte & 0x7f);
      isEnded = byte < 0x80;
      if (!isEnded) continue;
      // The first two arcs are one number: the first is 0, 1 or 2, and only below 2 can the second be at most 39.
      const first = Math.min(Math.floor(arc / 40), 2);
      text += text === '' ? `${first}.${arc - first * 40}` : `.${arc}`;
      arc = 0;
    }
    if (!isEnded) this.#fail('DER_OBJECT_IDENTIFIER', 'another byte');
    return text;
  }

  /** A BIT STRING whose unused bits are zero (X.690 §11.2.1). */
  readBitString(): DerBitString {
    const content = this.#readContent(DER_TAG.BIT_STRING);
    const [unusedBits = 8] = content;
    const bytes = content.subarray(1);
    const last = bytes.at(-1);
    const mask = (1 << unusedBits) - 1;
    if (unusedBits > 7 || ((last ?? mask) & mask) !== 0) {
      this.#fail('DER_BIT_STRING', '0 to 7 unused bits of 0', unusedBits);
    }
    return { unusedBits, bytes };
  }

  /** A Time (RFC 5280 §4.1.2.5): UTCTime to 2049, GeneralizedTime from 2050, in seconds and Z. In ms since the epoch. */
  readTime(): number {
    const isGeneralized = this.peekTag() === DER_TAG.GENERALIZED_TIME;
    const content = this.#readContent(isGeneralized ? DER_TAG.GENERALIZED_TIME : DER_TAG.UTC_TIME);
    const text = String.fromCharCode(...content.subarray(0, 16));
    const century = text < '5' ? '20' : '19';
    const moment = (isGeneralized ? text : century + text).replace(TIME, '-$1-$2T$3:$4:$5.000Z');
    const date = new Date(moment);
    // Written back, only a date of the calendar in the one form is the same: 30 February would roll over into March.
    const isDate = date.toJSON() === moment;
    // RFC 5280 §4.1.2.5: two forms of one moment would be two encodings of one certificate.
    if (!isDate || (isGeneralized && moment < '2050')) {
      this.#fail('DER_TIME', '(YY)YYMMDDHHMMSSZ', JSON.stringify(text));
    }
    return date.getTime();
  }

  /** Passes over the next element, which must carry `tag`, and gives the offset of its content. */
  #pass(tag: number): number {
    const found = this.#readByte();
    if (found !== tag) this.#fail('DER_TAG', formatTag(tag), formatTag(found));
    const length = this.#readLength();
    const contentStart = this.#offset;
    this.#skip(length);
    return contentStart;
  }

  #readContent(tag: number): Uint8Array {
    return this.#bytes.subarray(this.#pass(tag), this.#offset);
  }

  #skip(length: number): void {
    if (length > this.#end - this.#offset) this.#fail('DER_TRUNCATED', `${length} more bytes`, 'the end');
    this.#offset += length;
  }

  #readByte(): number {
    this.#skip(1);
    return this.#bytes[this.#offset - 1] ?? 0;
  }

  #readLength(): number {
    const first = this.#readByte();
    if (first < 0x80) return first;
    const size = first & 0x7f;
    let length = 0;
    // A longer one is not read: its length stays 0, which no long form may be.
    for (let index = 0; index < size && size <= 4; index += 1) length = length * 256 + this.#readByte();
    if (length < 0x80 || length < 256 ** (size - 1)) {
      this.#fail('DER_LENGTH', 'the shortest form');
    }
    return length;
  }
}

/** Reads bytes of which `read` must leave nothing. */
export function readDer<T>(encoded: Uint8Array, read: (reader: DerReader) => T): T {
  const reader = new DerReader(encoded);
  const value = read(reader);
  reader.expectEnd();
  return value;
}

/** Reads bytes that are one SEQUENCE and nothing else. */
export function readDerSequence<T>(encoded: Uint8Array, read: (fields: DerReader) => T): T {
  return readDer(encoded, (reader) => reader.readSequence(read));
}
