import type { WarningListener } from '../warning.ts';

/** What the clock of requests is corrected on: any client of the AWS SDK. */
export interface ClockCorrected {
  readonly config: { systemClockOffset: number };
}

/** From here on the local clock is corrected, in ms: the QEMU machine's NSM counts whole seconds. */
const CORRECTED_SKEW_MS = 2000;
/** From here on the local clock is worth a warning, in ms: SigV4 bears 5 minutes. */
const WARNED_SKEW_MS = 30_000;
/** Clocks drift by milliseconds a minute: more often than so, in ms, is not worth reading a document for. */
const OBSERVATION_INTERVAL_MS = 1000;

/**
 * Follows the NSM's clock, the only one that the parent cannot set (the timestamp that AWS signs), so that requests
 * are signed at the right time even where the enclave's clock drifts.
 */
export class AttestedClock {
  readonly #client: ClockCorrected | undefined;
  readonly #warn: WarningListener;
  #isWarned = false;
  #observedAt = Number.NEGATIVE_INFINITY;
  #offset: number | undefined;

  constructor(client: ClockCorrected | undefined, warn: WarningListener) {
    this.#client = client;
    this.#warn = warn;
  }

  /** Whether the last observation is long ago, or told of a clock that strays, or there was none. */
  get isDue(): boolean {
    return this.#offset !== 0 || performance.now() - this.#observedAt >= OBSERVATION_INTERVAL_MS;
  }

  /** Takes a document's `timestamp`, in ms since the epoch, that was asked for at `askedAt` and came now. */
  observe(timestamp: number, askedAt: number): void {
    this.#observedAt = performance.now();
    const now = Date.now();
    const skew = timestamp < askedAt ? timestamp - askedAt : Math.max(timestamp - now, 0);
    const isStray = Math.abs(skew) >= CORRECTED_SKEW_MS;
    this.#offset = isStray ? skew : 0;
    this.hold();
    this.#warnOnce(skew);
  }

  /** Keeps the client on what was observed last: the SDK follows the dates of answers, whoever wrote them. */
  hold(): void {
    if (this.#client !== undefined && this.#offset !== undefined) this.#client.config.systemClockOffset = this.#offset;
  }

  #warnOnce(skew: number): void {
    const isStray = Math.abs(skew) >= WARNED_SKEW_MS;
    if (isStray && !this.#isWarned) {
      const direction = skew > 0 ? 'behind' : 'ahead of';
      this.#warn(
        `the local clock is ${Math.round(Math.abs(skew) / 1000)} s ${direction} the NSM's: set it (chrony with /dev/ptp0), or KMS will refuse signatures`,
      );
    }
    this.#isWarned = isStray;
  }
}
