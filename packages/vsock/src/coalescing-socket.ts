import { Socket } from 'node:net';

/** Writes of this size and more go out by themselves. */
const LARGE_WRITE_BYTES = 4096;

/**
 * A `net.Socket` that sends the first small write of a turn of the event loop at once, and those that follow in the same
 * turn together. A vsock packet costs the receiving kernel the same however little is in it, and Linux (6.12.92 and
 * later) resets connections whose packets are so small and so many that their bookkeeping exceeds the receive window.
 */
export class CoalescingSocket extends Socket {
  #hasWritten = false;
  #isCollecting = false;
  /** Made once: this runs for every small write. */
  readonly #endTurn = (): void => {
    this.#hasWritten = false;
    if (!this.#isCollecting) return;
    this.#isCollecting = false;
    this.uncork();
  };

  override write(chunk: Uint8Array | string, callback?: (error?: Error | null) => void): boolean;
  override write(
    chunk: Uint8Array | string,
    encoding?: BufferEncoding,
    callback?: (error?: Error | null) => void,
  ): boolean;
  override write(
    chunk: Uint8Array | string,
    encoding?: BufferEncoding | ((error?: Error | null) => void),
    callback?: (error?: Error | null) => void,
  ): boolean {
    if (chunk?.length < LARGE_WRITE_BYTES) this.#countSmallWrite();
    return typeof encoding === 'function' ? super.write(chunk, encoding) : super.write(chunk, encoding, callback);
  }

  #countSmallWrite(): void {
    if (!this.#hasWritten) {
      this.#hasWritten = true;
      process.nextTick(this.#endTurn);
    } else if (!this.#isCollecting) {
      this.#isCollecting = true;
      this.cork();
    }
  }
}
