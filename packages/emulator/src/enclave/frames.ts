/** Length of a frame's head: the byte count of its content, unsigned, big-endian. */
const HEAD_BYTES = 4;

/** A frame: four bytes of length, and the content. */
export function encodeFrame(content: Uint8Array): Uint8Array {
  const frame = new Uint8Array(HEAD_BYTES + content.length);
  new DataView(frame.buffer).setUint32(0, content.length);
  frame.set(content, HEAD_BYTES);
  return frame;
}

/** Takes bytes as they come, and gives each frame's content once it is whole. */
export class FrameReader {
  readonly #maxBytes: number;
  #pending = new Uint8Array(0);

  /** @param maxBytes longest content. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** @throws {RangeError} when a frame announces more than the limit; nothing after it can be told apart. */
  push(bytes: Uint8Array): Uint8Array[] {
    const joined = new Uint8Array(this.#pending.length + bytes.length);
    joined.set(this.#pending);
    joined.set(bytes, this.#pending.length);
    const contents: Uint8Array[] = [];
    let offset = 0;
    while (joined.length - offset >= HEAD_BYTES) {
      const length = new DataView(joined.buffer, offset).getUint32(0);
      if (length > this.#maxBytes) {
        throw new RangeError(`expected a frame of at most ${this.#maxBytes} bytes, found ${length}`);
      }
      const end = offset + HEAD_BYTES + length;
      if (end > joined.length) break;
      contents.push(joined.slice(offset + HEAD_BYTES, end));
      offset = end;
    }
    this.#pending = joined.slice(offset);
    return contents;
  }
}
