import type { Crc32 } from '../format/crc32.ts';
import { combineCrc32 } from '../format/crc32.ts';

interface Piece {
  readonly length: number;
  crc: number | undefined;
}

/** A CRC-32 over pieces, some of which another thread may calculate in its own time. */
export class RunningCrc {
  readonly #crc32: Crc32;
  readonly #open: Piece[] = [];
  #value = 0;

  constructor(crc32: Crc32) {
    this.#crc32 = crc32;
  }

  /** Takes the next piece at once. */
  update(bytes: Uint8Array): void {
    if (this.#open.length === 0) this.#value = this.#crc32(bytes, this.#value);
    else this.later(bytes.length)(this.#crc32(bytes, 0));
  }

  /** Keeps the place of a piece of `length` bytes, whose own CRC is given to what this gives. */
  later(length: number): (crc: number) => void {
    const piece: Piece = { length, crc: undefined };
    this.#open.push(piece);
    return (crc) => {
      piece.crc = crc;
      this.#close();
    };
  }

  /** The CRC of all pieces, once all are there. */
  get value(): number {
    return this.#value;
  }

  #close(): void {
    for (let first = this.#open[0]; first?.crc !== undefined; first = this.#open[0]) {
      this.#value = combineCrc32(this.#value, first.crc, first.length);
      this.#open.shift();
    }
  }
}
