import { Readable } from 'node:stream';

/** Bytes that the console remembers for whoever looks later, as the hypervisor's buffer does. */
const REMEMBERED_BYTES = 64 * 1024;

/** Bytes that wait for one reader. A reader that is slower than the enclave misses what comes then, as on Nitro. */
const WAITING_BYTES = 1024 * 1024;

/** The console of one enclave: what it wrote so far, and what it goes on to write. */
export class ConsoleLog {
  #remembered: Buffer = Buffer.alloc(0);
  #ended = false;
  readonly #readers = new Set<Readable>();

  write(bytes: Uint8Array): void {
    this.#remembered = Buffer.concat([this.#remembered, bytes]).subarray(-REMEMBERED_BYTES);
    for (const reader of this.#readers) if (reader.readableLength < WAITING_BYTES) reader.push(bytes);
  }

  /** Ends the console: readers get what is left, and their end. */
  end(): void {
    this.#ended = true;
    for (const reader of this.#readers) reader.push(null);
    this.#readers.clear();
  }

  /** A stream of what was written lately and what is written from now on, until the enclave ends. */
  read(): Readable {
    const reader = new Readable({ read: () => undefined });
    reader.once('close', () => this.#readers.delete(reader));
    if (this.#remembered.length > 0) reader.push(this.#remembered);
    if (this.#ended) reader.push(null);
    else this.#readers.add(reader);
    return reader;
  }

  /** What was written lately, as text. */
  text(): string {
    return this.#remembered.toString('utf8');
  }
}
