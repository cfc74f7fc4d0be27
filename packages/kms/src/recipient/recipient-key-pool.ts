import type { RecipientKey } from './recipient-key.ts';
import { generateRecipientKey } from './recipient-key.ts';

/** When a recipient key gives way to the next. */
export interface RecipientKeyPoolOptions {
  /** Most calls that one key serves. Default 10 000: making a key costs a thread a tenth of a second. */
  readonly maxUses?: number;
  /** Longest that one key serves, in ms. Default 600 000 (10 minutes). */
  readonly maxAge?: number;
}

/** A key that waits for its turn. */
interface PreparedKey {
  readonly key: Promise<RecipientKey>;
  readonly madeAt: number;
}

/**
 * Hands out the current key, and has the next one ready before it is needed, so that only the first call, or one after a
 * long pause, waits for RSA. A key that was rotated away lives on only in the calls that still wait for their answer.
 */
export class RecipientKeyPool {
  readonly #maxUses: number;
  readonly #maxAge: number;
  #current: Promise<RecipientKey> | undefined;
  #next: PreparedKey | undefined;
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
    const isHalfSpent = this.#usesLeft < this.#maxUses / 2 || performance.now() >= this.#expiresAt - this.#maxAge / 2;
    if (isHalfSpent) this.#prepareNext();
    return current;
  }

  /** Forgets the keys. Calls under way keep theirs; the next call makes new ones. */
  clear(): void {
    this.#current = undefined;
    this.#next = undefined;
  }

  #rotate(): Promise<RecipientKey> {
    const current = this.#takeNext() ?? generateRecipientKey();
    this.#current = current;
    this.#usesLeft = this.#maxUses;
    this.#expiresAt = performance.now() + this.#maxAge;
    // Whoever took it meets the failure; the call after that tries anew.
    current.catch(() => {
      if (this.#current === current) this.clear();
    });
    return current;
  }

  /** Not one that was prepared long ago, for calls that then did not come. */
  #takeNext(): Promise<RecipientKey> | undefined {
    const next = this.#next;
    this.#next = undefined;
    return next !== undefined && performance.now() - next.madeAt < this.#maxAge ? next.key : undefined;
  }

  #prepareNext(): void {
    if (this.#next !== undefined) return;
    const next = { key: generateRecipientKey(), madeAt: performance.now() };
    this.#next = next;
    next.key.catch(() => {
      if (this.#next === next) this.#next = undefined;
    });
  }
}
