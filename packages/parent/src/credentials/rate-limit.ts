/** At most `requests` in any stretch of `intervalMs`. */
export interface RateLimit {
  readonly requests: number;
  readonly intervalMs: number;
}

/** Counts requests by CID over a sliding window. */
export class RateLimiter {
  readonly #limit: RateLimit;
  readonly #times = new Map<number, number[]>();

  constructor(limit: RateLimit) {
    const { requests, intervalMs } = limit;
    if (!(Number.isInteger(requests) && requests > 0 && intervalMs > 0))
      throw new RangeError(
        `expected a rate of at least 1 request in more than 0 ms, found ${requests} in ${intervalMs}`,
      );
    this.#limit = limit;
  }

  /** Whether one more request of `cid` may pass now; counts it if so. */
  allows(cid: number): boolean {
    const now = performance.now();
    const recent = (this.#times.get(cid) ?? []).filter((time) => now - time < this.#limit.intervalMs);
    const isAllowed = recent.length < this.#limit.requests;
    if (isAllowed) recent.push(now);
    this.#times.set(cid, recent);
    return isAllowed;
  }
}
