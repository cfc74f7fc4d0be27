import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { ParallelSha384 } from '../platform.ts';
import { MAX_PIECES_ON_THE_WAY } from './piece-pool.ts';

/** Shortest data for which a thread's start is worth it, in bytes. */
const WORTH_A_THREAD: number = 16 * 1024 * 1024;

/**
 * As text, so that it runs from sources, from the built package and out of a bundle alike; and without `require` or
 * `import`, one of which is missing wherever `--input-type` says that text is of the other kind.
 */
const WORKER_SOURCE = `
const { createHash } = process.getBuiltinModule('node:crypto');
const { crc32 } = process.getBuiltinModule('node:zlib');
const { parentPort } = process.getBuiltinModule('node:worker_threads');
const sha384 = createHash('sha384');
parentPort.on('message', ({ bytes, wantsCrc }) => {
  if (bytes === undefined) {
    parentPort.postMessage({ digest: sha384.digest() });
    return;
  }
  sha384.update(bytes);
  parentPort.postMessage({ crc: wantsCrc ? crc32(bytes) : undefined });
});
`;

interface WorkerAnswer {
  readonly digest?: Uint8Array;
  readonly crc?: number;
}

/** A view of shared memory goes as it is; anything else is copied, as its owner will write over it. */
function shareable(bytes: Uint8Array): Uint8Array {
  return bytes.buffer instanceof SharedArrayBuffer ? bytes : bytes.slice();
}

class WorkerSha384 implements ParallelSha384 {
  readonly #worker: Worker = new Worker(WORKER_SOURCE, { eval: true, execArgv: [] });
  /** One for each piece on its way: takes the piece's CRC where it was asked for. */
  readonly #onTheWay: (((crc: number) => void) | undefined)[] = [];
  #wake: () => void = () => {};
  #digest: Uint8Array | undefined;
  #failure: Error | undefined;

  constructor() {
    this.#worker.on('message', (answer: WorkerAnswer) => this.#take(answer));
    this.#worker.on('error', (error: Error) => {
      this.#failure = error;
      this.#wake();
    });
  }

  get isIdle(): boolean {
    return this.#onTheWay.length === 0;
  }

  async update(bytes: Uint8Array, onCrc?: (crc: number) => void): Promise<void> {
    this.#worker.postMessage({ bytes: shareable(bytes), wantsCrc: onCrc !== undefined });
    this.#onTheWay.push(onCrc);
    await this.#until(() => this.#onTheWay.length < MAX_PIECES_ON_THE_WAY);
  }

  async digest(): Promise<Uint8Array> {
    this.#worker.postMessage({});
    await this.#until(() => this.#digest !== undefined);
    return this.#digest ?? new Uint8Array(0);
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #take({ digest, crc }: WorkerAnswer): void {
    if (digest === undefined) this.#onTheWay.shift()?.(crc ?? 0);
    this.#digest = digest;
    this.#wake();
  }

  async #until(reached: () => boolean): Promise<void> {
    while (!reached()) {
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

/** A SHA-384 on another thread for `byteLength` bytes; `undefined` when that would not be faster. */
export function createParallelSha384(byteLength: number): ParallelSha384 | undefined {
  return byteLength < WORTH_A_THREAD || availableParallelism() < 2 ? undefined : new WorkerSha384();
}
