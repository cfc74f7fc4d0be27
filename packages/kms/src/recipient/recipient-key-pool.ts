import type { RecipientKey } from './recipient-key.ts';
import { generateRecipientKey } from './recipient-key.ts';

/** When a recipient key gives way to the next. */
export interface RecipientKeyPoolOptions {
  /** Most calls that one key serves. Default 10 000: making a key costs a thread a tenth of a second. */
  readonly maxUses?: number;
  /** Longest that one key serves, in ms. Default 600 000 (10 minutes). */
  readonly maxAge?: number;
}

/**
 * Hands out the current key, and has the next one ready before it is needed, so that only the first call ever waits for
 * RSA. A key that was rotated away lives on only in the calls that still wait for their answer.
 */
export class RecipientKeyPool {
  readonly #maxUses: number;
  readonly #maxAge: number;
  #current: Promise<RecipientKey> | undefined;
  #next: Promise<RecipientKey> | undefined;
  #usesLeft = 0;
  #expiresAt = 0;

  constructor({ maxUses = 10_000, maxAge = 600_000 }: RecipientKeyPoolOptions = {}) {
    if (!Number.isInteger(maxUses) || maxUses < 1)
      throw new RangeError(`expected maxUses to be at least 1, found ${maxUses}`);
    if (!(maxAge > 0)) throw new RangeError(`expected maxAge to be above 0 ms, found ${maxAge}`);
    this.#maxUses = maxUses;
    this.#maxAge = maxAge;
  }

  /** The key for one call. */
  take(): Promise<RecipientKey> {
    const isSpent = this.#usesLeft < 1 || performance.now() >= this.#expiresAt;
    const current = this.#current === undefined || isSpent ? this.#rotate() : this.#current;
    this.#usesLeft -= 1;
    if (this.#usesLeft < this.#maxUses / 2) this.#prepareNext();
    return current;
  }

  /** Forgets the keys. Calls under way keep theirs; the next call makes new ones. */
  clear(): void {
    this.#current = undefined;
    this.#next = undefined;
  }

  #rotate(): Promise<RecipientKey> {
    const current = this.#next ?? generateRecipientKey();
    this.#next = undefined;
    this.#current = current;
    this.#usesLeft = this.#maxUses;
    this.#expiresAt = performance.now() + this.#maxAge;
    // Whoever took it meets the failure; the call after that tries anew.
    current.catch(() => this.clear());
    return current;
  }

  #prepareNext(): void {
    if (this.#next !== undefined) return;
    this.#next = generateRecipientKey();
    this.#next.catch(() => {
      this.#next = undefined;
    });
  }
}
