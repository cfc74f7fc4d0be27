/**
 * A number of slots, handed out in order. Node's agent counts connections only once they are there; those that come about
 * asynchronously, as all of a transport's do, escape its `maxSockets`.
 */
export class Slots {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(count: number) {
    if (!Number.isInteger(count) || count < 1)
      throw new RangeError(`expected maxSockets to be at least 1, found ${count}`);
    this.#free = count;
  }

  /** Resolves when a slot is there for the caller, who gives it back by `release()`; rejects when `signal` is aborted. */
  take(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    if (this.#free > 0) {
      this.#free -= 1;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const abort = () => {
        this.#waiting.delete(enter);
        reject(signal?.reason);
      };
      const enter = () => {
        signal?.removeEventListener('abort', abort);
        resolve();
      };
      this.#waiting.add(enter);
      signal?.addEventListener('abort', abort, { once: true });
    });
  }

  /** Gives a slot to whoever waits longest. */
  release(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free += 1;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
