import { Duplex } from 'node:stream';
import { DataError } from '../error.ts';

/** How a stream of the Encryption SDK is handled. */
export interface Containment {
  /** Turns its error into ours. */
  readonly explain: (error: unknown) => Error;
  /** Ends it before its time, so that it zeroes its keys. */
  readonly stop: (inner: Duplex) => void;
  /** Says of what is written next whether, and why, it is refused. */
  readonly refuse?: (chunk: Buffer) => Error | undefined;
  /** Exact number of bytes that will be written, where it was stated. */
  readonly expectedBytes?: number | undefined;
}

/**
 * A stream of Node's own around one of the Encryption SDK's, which emit errors without ending themselves, and of which the
 * encrypting one brings down the process when it is destroyed half way.
 */
export class ContainedStream extends Duplex {
  readonly #inner: Duplex;
  readonly #containment: Containment;
  #written = 0;

  constructor(inner: Duplex, containment: Containment) {
    super();
    this.#inner = inner;
    this.#containment = containment;
    inner.on('data', (chunk: Buffer) => {
      if (!this.destroyed && !this.push(chunk)) inner.pause();
    });
    inner.on('end', () => this.push(null));
    inner.on('error', (error) => this.destroy(containment.explain(error)));
  }

  override _read(): void {
    this.#inner.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    this.#written += chunk.length;
    const { expectedBytes, refuse } = this.#containment;
    const refusal = refuse?.(chunk);
    if (refusal !== undefined) done(refusal);
    else if (expectedBytes !== undefined && this.#written > expectedBytes) done(this.#wrongLength(expectedBytes));
    else if (this.#inner.write(chunk)) done();
    else this.#inner.once('drain', done);
  }

  override _final(done: (error?: Error) => void): void {
    const { expectedBytes = this.#written } = this.#containment;
    if (this.#written !== expectedBytes) {
      done(this.#wrongLength(expectedBytes));
      return;
    }
    this.#inner.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#containment.stop(this.#inner);
    done(error);
  }

  #wrongLength(expected: number): DataError {
    return new DataError(
      'PLAINTEXT_LENGTH',
      `expected ${expected} bytes, as plaintextLength says, found ${this.#written}`,
    );
  }
}
