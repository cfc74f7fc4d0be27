/** Ends a decoding. Stays inside this folder: every failure has the same face outside it (see `open.ts`). */
export class EnvelopeShapeError extends Error {}

/** @throws {EnvelopeShapeError} unless the condition holds. */
export function expect(condition: boolean, what: string): asserts condition {
  if (!condition) throw new EnvelopeShapeError(`expected ${what}`);
}

/** Identifier octets of [0] in what KMS sends (X.690 §8.1.2); universal ones are those of DER (`DER_TAG` of core). */
export const CONTEXT_0 = { PRIMITIVE: 0x80, CONSTRUCTED: 0xa0 } as const;

const CONSTRUCTED = 0x20;
const TAG_NUMBER = 0x1f;
const LONG_FORM = 0x80;
/** More is no length that an envelope can have. */
const MAX_LENGTH_OCTETS = 4;
/** Deeper is nothing that KMS sends, and would exhaust the stack. */
const MAX_DEPTH = 8;
const END_OF_CONTENTS = 0;

/**
 * A bounded cursor over BER: one-byte tags, definite and indefinite lengths (X.690 §8.1.3). Each element is asked for by its
 * tag, and an element is left only when all of it was read, so nothing is passed over unseen. Gives views of the input.
 */
export class BerReader {
  readonly #bytes: Uint8Array;
  #offset = 0;
  /** Where the innermost element of a definite length ends. */
  #end: number;
  /** Whether the innermost element is closed by end-of-contents octets instead. */
  #isIndefinite = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#end = bytes.length;
  }

  /** Whether nothing follows in the element that is being read, or in the input. */
  isAtEnd(): boolean {
    if (!this.#isIndefinite) return this.#offset === this.#end;
    return this.#end - this.#offset >= 2 && this.#bytes[this.#offset] === 0 && this.#bytes[this.#offset + 1] === 0;
  }

  /** The next octet, or `undefined` at the end. */
  peekTag(): number | undefined {
    return this.#offset < this.#end ? this.#bytes[this.#offset] : undefined;
  }

  /** What `read` makes of the content of the next element, which must be constructed and carry `tag`. */
  inside<Content>(tag: number, read: () => Content): Content {
    const outerEnd = this.#end;
    const isOuterIndefinite = this.#isIndefinite;
    const length = this.#passHead(tag);
    const end = length === undefined ? outerEnd : this.#offset + length;
    expect(end <= outerEnd, 'an element inside the one around it');
    this.#end = end;
    this.#isIndefinite = length === undefined;
    const content = read();
    expect(this.isAtEnd(), 'the end of an element');
    if (this.#isIndefinite) this.#offset += 2;
    this.#end = outerEnd;
    this.#isIndefinite = isOuterIndefinite;
    return content;
  }

  /** Content of the next element, which must be primitive and carry `tag`. */
  primitive(tag: number): Uint8Array {
    const length = this.#passHead(tag);
    expect(length !== undefined, 'a primitive element to say its length');
    return this.#pass(length);
  }

  /** The next element, which must carry `tag`, whole: everything in it lies inside of what is around it. */
  element(tag: number): Uint8Array {
    const start = this.#offset;
    expect(this.peekTag() === tag, 'another tag');
    this.#passElement(0);
    return this.#bytes.subarray(start, this.#offset);
  }

  #passElement(depth: number): void {
    const tag = this.peekTag() ?? END_OF_CONTENTS;
    expect(tag !== END_OF_CONTENTS && (tag & TAG_NUMBER) !== TAG_NUMBER, 'a tag of one byte');
    if ((tag & CONSTRUCTED) === 0) {
      this.primitive(tag);
      return;
    }
    expect(depth < MAX_DEPTH, 'fewer elements inside one another');
    this.inside(tag, () => {
      while (!this.isAtEnd()) this.#passElement(depth + 1);
    });
  }

  #pass(length: number): Uint8Array {
    const start = this.#offset;
    expect(length <= this.#end - start, 'an element inside the one around it');
    this.#offset = start + length;
    return this.#bytes.subarray(start, this.#offset);
  }

  #passByte(): number {
    const byte = this.peekTag();
    expect(byte !== undefined, 'another byte');
    this.#offset += 1;
    return byte;
  }

  #passHead(tag: number): number | undefined {
    expect(this.#passByte() === tag, 'another tag');
    return this.#passLength();
  }

  /** `undefined`: indefinite. */
  #passLength(): number | undefined {
    const first = this.#passByte();
    if (first < LONG_FORM) return first;
    if (first === LONG_FORM) return undefined;
    const octets = first - LONG_FORM;
    expect(octets <= MAX_LENGTH_OCTETS, 'a length of at most four octets');
    let length = 0;
    for (let index = 0; index < octets; index += 1) length = length * 256 + this.#passByte();
    return length;
  }
}
