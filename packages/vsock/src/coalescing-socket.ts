import { Socket } from 'node:net';

/** Writes of this size and more go out by themselves. */
const LARGE_WRITE_BYTES = 4096;

/**
 * A `net.Socket` that sends the small writes of one turn of the event loop together. A vsock packet costs the receiving
 * kernel the same however little is in it, and Linux (6.12.92 and later) resets connections whose packets are so small
 * and so many that their bookkeeping exceeds the receive window.
 */
export class CoalescingSocket extends Socket {
  #collecting = false;

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
    if (!this.#collecting && chunk?.length < LARGE_WRITE_BYTES) this.#collect();
    return typeof encoding === 'function' ? super.write(chunk, encoding) : super.write(chunk, encoding, callback);
  }

  #collect(): void {
    this.#collecting = true;
    this.cork();
    process.nextTick(() => {
      this.#collecting = false;
      this.uncork();
    });
  }
}
