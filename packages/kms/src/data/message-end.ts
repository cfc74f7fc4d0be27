/** What comes next of a message: so many bytes to look at, or to leave alone. */
type Part = { readonly read: number } | { readonly pass: number };
type Parts<Result> = Generator<Part, Result, Buffer>;

/** Version 2 of the format is that of all committed algorithm suites, and no other is taken here. */
const COMMITTED_VERSION = 2;
const SIGNED_SUITE = 0x0578;
const MESSAGE_ID_BYTES = 32;
const COMMITMENT_BYTES = 32;
const SEQUENCE_NUMBER_BYTES = 4;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const FRAMED = 2;
/** Stands before the sequence number of the last frame. */
const FINAL_FRAME = 0xffff_ffff;

function* passField(): Parts<void> {
  yield { pass: (yield { read: 2 }).readUInt16BE() };
}

function* passFrames(frameBytes: number): Parts<void> {
  while ((yield { read: 4 }).readUInt32BE() !== FINAL_FRAME) yield { pass: IV_BYTES + frameBytes + TAG_BYTES };
  yield { pass: SEQUENCE_NUMBER_BYTES + IV_BYTES };
  yield { pass: (yield { read: 4 }).readUInt32BE() + TAG_BYTES };
}

function* passWhole(): Parts<void> {
  yield { pass: IV_BYTES };
  yield { pass: Number((yield { read: 8 }).readBigUInt64BE()) + TAG_BYTES };
}

/** The layout of a message, to its end; `false`: it is of another version. */
function* passMessage(): Parts<boolean> {
  const head = yield { read: 3 };
  if (head[0] !== COMMITTED_VERSION) return false;
  yield { pass: MESSAGE_ID_BYTES };
  yield* passField();
  const dataKeys = (yield { read: 2 }).readUInt16BE();
  for (let field = 0; field < 3 * dataKeys; field += 1) yield* passField();
  const body = yield { read: 5 };
  yield { pass: COMMITMENT_BYTES + TAG_BYTES };
  yield* body[0] === FRAMED ? passFrames(body.readUInt32BE(1)) : passWhole();
  if (head.readUInt16BE(1) === SIGNED_SUITE) yield* passField();
  return true;
}

/**
 * Finds where a message ends. The Encryption SDK for JavaScript passes over whatever follows, a second message too, though
 * its specification has it fail: who appends, or joins two messages, would go unnoticed. Judges nothing else.
 * Source: AWS Encryption SDK Developer Guide, "Message format reference", version 2.
 */
export class MessageEnd {
  readonly #parts = passMessage();
  #part = this.#parts.next();
  #seen: Buffer = Buffer.alloc(0);
  #passed = 0;

  /** Takes the next bytes; tells whether some of them are behind the end. */
  isPassedBy(bytes: Uint8Array): boolean {
    let left = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    while (left.length > 0 && !this.#part.done) left = left.subarray(this.#take(left, this.#part.value));
    return left.length > 0 && this.#part.value === true;
  }

  #take(bytes: Buffer, part: Part): number {
    const isRead = 'read' in part;
    const wanted = isRead ? part.read : part.pass;
    const taken = Math.min(wanted - this.#passed, bytes.length);
    if (isRead) this.#seen = Buffer.concat([this.#seen, bytes.subarray(0, taken)]);
    this.#passed += taken;
    if (this.#passed === wanted) {
      this.#part = this.#parts.next(this.#seen);
      this.#seen = Buffer.alloc(0);
      this.#passed = 0;
    }
    return taken;
  }
}
