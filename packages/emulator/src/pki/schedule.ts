const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** The levels of the PKI, from the top. */
export type Level = 'root' | 'regional' | 'zonal' | 'instance' | 'leaf';

/** Authorities that are renewed at fixed moments, like Nitro's. */
export type RenewedLevel = 'regional' | 'zonal' | 'instance';

/** Validity of the root, the same moments as those of AWS Nitro Enclaves Root-G1. */
export const ROOT_VALIDITY: Validity = {
  notBefore: Date.UTC(2019, 9, 28, 13, 28, 5),
  notAfter: Date.UTC(2049, 9, 28, 14, 28, 5),
};

/**
 * Lifetimes and renewal as seen in genuine documents of 2021 to 2026. Each authority is renewed early enough for the ones
 * that it signs until then to end before it does.
 */
const SCHEDULE: Readonly<Record<RenewedLevel, { readonly lifetime: number; readonly period: number }>> = {
  regional: { lifetime: 20 * DAY + HOUR, period: 9 * DAY + 23 * HOUR },
  zonal: { lifetime: 5 * DAY + 18 * HOUR, period: DAY },
  instance: { lifetime: DAY, period: 12 * HOUR },
};

/** A leaf begins three seconds before it is made and ends three hours after. */
const LEAF_BACKDATING = 3 * SECOND;
const LEAF_LIFETIME = 3 * HOUR;
/** A leaf is used for as long as its documents can still be verified for a while. */
const LEAF_MARGIN = 5 * MINUTE;

/** A span of time, both ends included, in ms since the epoch and whole seconds. */
export interface Validity {
  readonly notBefore: number;
  readonly notAfter: number;
}

/**
 * The validity of the authority of `level` that is in use at `time`: a matter of the clock alone, so that it does not
 * depend on what was asked for before. `phase` (a number below 2^32) moves the moments of renewal.
 */
export function validityAt(level: RenewedLevel, time: number, phase: number): Validity {
  const { lifetime, period } = SCHEDULE[level];
  const offset = (phase * SECOND) % period;
  const notBefore = Math.floor((time - offset) / period) * period + offset;
  return { notBefore, notAfter: notBefore + lifetime };
}

/** The validity of a leaf that is made at `time`: 3 h 00 m 03 s. */
export function leafValidity(time: number): Validity {
  const made = Math.floor(time / SECOND) * SECOND;
  return { notBefore: made - LEAF_BACKDATING, notAfter: made + LEAF_LIFETIME };
}

/** Whether a leaf is still good for new documents at `time`; also when the clock was set back before it was made. */
export function isLeafUsable({ notBefore, notAfter }: Validity, time: number): boolean {
  return time >= notBefore && time <= notAfter - LEAF_MARGIN;
}
