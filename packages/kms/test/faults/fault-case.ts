import type { Faults } from '@nitro-enclaves/emulator';

/** The error that a call ends with. */
export interface Refusal {
  /** Its name. */
  readonly name?: string;
  /** Its code, where it is one of ours. */
  readonly code?: string;
  /** What its message says to do. */
  readonly says: RegExp;
}

/**
 * What comes of a call under a fault: the genuine secret; one of the attacker's choice, where nothing but TLS could tell; or
 * an error.
 */
export type Outcome = 'genuine' | 'chosen by the attacker' | Refusal;

/** Something that goes wrong on the way to KMS or in it, and what comes of calls meanwhile. Afterwards all is well again. */
export interface FaultCase {
  /** What goes wrong, as a clause. */
  readonly name: string;
  readonly faults: Faults;
  readonly outcome: Outcome;
  /** Operations, by their names, of which something else comes. */
  readonly except?: Readonly<Record<string, Outcome>>;
  /** Whose credentials requests are signed with. Default: ones at hand. */
  readonly credentialsOf?: 'parent';
  /** Whether nothing but the deadline ends the call. */
  readonly waits?: true;
  /** Calls on one connection by which it has happened. Default 1. */
  readonly within?: number;
  /** Most attempts of the SDK for each call. Default 1. */
  readonly attempts?: number;
}
