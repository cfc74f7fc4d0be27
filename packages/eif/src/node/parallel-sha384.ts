import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { ParallelSha384 } from '../platform.ts';
import { MAX_PIECES_ON_THE_WAY } from './piece-pool.ts';

/** Shortest data for which a thread's start is worth it, in bytes. */
const WORTH_A_THREAD: number = 16 * 1024 * 1024;

/** As text, so that it runs from sources, from the built package and out of a bundle alike. */
const WORKER_SOURCE = `
const { createHash } = require('node:crypto');
const { parentPort } = require('node:worker_threads');
const sha384 = createHash('sha384');
parentPort.on('message', (piece) => {
  if (piece === null) {
    parentPort.postMessage({ digest: sha384.digest() });
    return;
  }
  sha384.update(piece);
  parentPort.postMessage({ taken: true });
});
`;

interface WorkerAnswer {
  readonly digest?: Uint8Array;
}

/** A view of shared memory goes as it is; anything else is copied, as its owner will write over it. */
function shareable(bytes: Uint8Array): Uint8Array {
  return bytes.buffer instanceof SharedArrayBuffer ? bytes : bytes.slice();
}

class WorkerSha384 implements ParallelSha384 {
  readonly #worker: Worker = new Worker(WORKER_SOURCE, { eval: true });
  #onTheWay = 0;
  #wake: () => void = () => {};
  #digest: Uint8Array | undefined;
  #failure: Error | undefined;

  constructor() {
    this.#worker.on('message', (answer: WorkerAnswer) => {
      if (answer.digest === undefined) this.#onTheWay -= 1;
      this.#digest = answer.digest;
      this.#wake();
    });
    this.#worker.on('error', (error: Error) => {
      this.#failure = error;
      this.#wake();
    });
  }

  async update(bytes: Uint8Array): Promise<void> {
    this.#worker.postMessage(shareable(bytes));
    this.#onTheWay += 1;
    await this.#until(() => this.#onTheWay < MAX_PIECES_ON_THE_WAY);
  }

  async digest(): Promise<Uint8Array> {
    this.#worker.postMessage(null);
    await this.#until(() => this.#digest !== undefined);
    return this.#digest ?? new Uint8Array(0);
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
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
