import { copyBytes } from '@nitro-enclaves/core';

const EMPTY = new Uint8Array(0);

/** Takes exact counts of bytes out of pieces of any length. Nothing is allocated for bytes that are not there. */
export class ByteReader {
  readonly #iterator: AsyncIterator<Uint8Array>;
  #piece: Uint8Array = EMPTY;
  #offset = 0;

  constructor(pieces: AsyncIterable<Uint8Array>) {
    this.#iterator = pieces[Symbol.asyncIterator]();
  }

  /** Count of bytes taken so far. */
  get offset(): number {
    return this.#offset;
  }

  /** Up to `length` of the bytes that are at hand, without waiting for more than one piece; empty only at the end. */
  async next(length: number): Promise<Uint8Array> {
    if (!(await this.#fill())) return EMPTY;
    const taken = this.#piece.subarray(0, length);
    this.#piece = this.#piece.subarray(taken.length);
    this.#offset += taken.length;
    return taken;
  }

  /** A copy of the next `length` bytes, or of fewer where the input ends. The caller has checked `length`. */
  async read(length: number): Promise<Uint8Array<ArrayBuffer>> {
    const parts: Uint8Array[] = [];
    let missing = length;
    while (missing > 0) {
      const part = copyBytes(await this.next(missing));
      if (part.length === 0) break;
      parts.push(part);
      missing -= part.length;
    }
    const bytes = new Uint8Array(length - missing);
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }

  /** The next byte, left in place; `undefined` at the end. */
  async peek(): Promise<number | undefined> {
    return (await this.#fill()) ? this.#piece[0] : undefined;
  }

  /** A copy of the next `length` bytes, left in place; fewer where the input ends. */
  async peekBytes(length: number): Promise<Uint8Array> {
    const bytes = await this.read(length);
    const joined = new Uint8Array(bytes.length + this.#piece.length);
    joined.set(bytes);
    joined.set(this.#piece, bytes.length);
    this.#piece = joined;
    this.#offset -= bytes.length;
    return bytes;
  }

  /** Passes over zeros; whether anything is behind them. */
  async skipZeros(): Promise<boolean> {
    while (await this.#fill()) {
      const zeros = this.#piece.findIndex((byte) => byte !== 0);
      if (zeros < 0) {
        await this.next(this.#piece.length);
        continue;
      }
      await this.next(zeros);
      return true;
    }
    return false;
  }

  /** The next `length` bytes, piece by piece; fewer where the input ends. */
  async *take(length: number): AsyncGenerator<Uint8Array, void, undefined> {
    for (let missing = length; missing > 0; ) {
      const piece = await this.next(missing);
      if (piece.length === 0) return;
      missing -= piece.length;
      yield piece;
    }
  }

  /** Everything that is left, piece by piece. */
  rest(): AsyncGenerator<Uint8Array, void, undefined> {
    return this.take(Number.POSITIVE_INFINITY);
  }

  /** Lets go of the input. */
  async close(): Promise<void> {
    await this.#iterator.return?.();
  }

  async #fill(): Promise<boolean> {
    while (this.#piece.length === 0) {
      const { done, value } = await this.#iterator.next();
      if (done) return false;
      this.#piece = value;
    }
    return true;
  }
}
