import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { temporaryName } from '../../node/temporary-name.ts';
import { failBuild } from '../error.ts';
import type { Region } from '../tar/region.ts';

/** Much more than an enclave's memory could take: a bound for archives that unpack to endless zeros. */
const MAX_SPOOLED_BYTES = 64 * 1024 ** 3;

/** A file without a name, for what had to be decompressed: it is gone when it is closed, however the process ends. */
export class Spool {
  readonly #fd: number;
  /** Stops what is being appended. */
  readonly signal: AbortSignal | undefined;
  #length = 0;

  /** `beside` is a path whose folder has room, the output's. */
  constructor(beside: string, signal: AbortSignal | undefined) {
    this.signal = signal;
    const path = temporaryName(beside);
    this.#fd = openSync(path, 'wx+', 0o600);
    rmSync(path);
  }

  /** Appends all pieces, and says where they are. */
  async append(pieces: AsyncIterable<Uint8Array>): Promise<Region> {
    const offset = this.#length;
    for await (const piece of pieces) {
      this.signal?.throwIfAborted();
      if (this.#length + piece.length > MAX_SPOOLED_BYTES) {
        failBuild('BUILD_LAYER', `expected layers of at most ${MAX_SPOOLED_BYTES} bytes, unpacked`);
      }
      for (let at = 0; at < piece.length; ) at += writeSync(this.#fd, piece, at, piece.length - at, this.#length + at);
      this.#length += piece.length;
    }
    return { fd: this.#fd, offset, size: this.#length - offset };
  }

  close(): void {
    closeSync(this.#fd);
  }
}
