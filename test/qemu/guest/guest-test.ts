import type { Transport } from '@nitro-enclaves/vsock';

/** Ports of the parent that the tests inside the enclave connect to. */
export const PARENT_PORT = {
  /** Settings in, report out. */
  REPORT: 5000,
} as const;

/** What the parent tells the tests, in one line of JSON, before they begin. */
export interface GuestSettings {
  /** PCRs as `eif` predicted them from the image and from how it was started, in hexadecimal, by index. */
  predictedPcrs: Readonly<Record<string, string>>;
  /** Module id that the enclave was started with, if the launcher could choose it. */
  moduleId?: string;
}

/** What the tests inside the enclave have at hand. */
export interface GuestContext {
  readonly transport: Transport;
  /** `undefined` when no parent program answered. */
  readonly settings: GuestSettings | undefined;
}

/** A statement about this machine; `run` rejects if it does not hold, and may give figures for the report. */
export interface GuestTest {
  /** What holds, as a sentence. */
  name: string;
  /** Whether it needs the parent program. */
  needsParent?: boolean;
  /** Deadline, in ms; default 60 000. */
  timeout?: number;
  run(context: GuestContext): Promise<string | undefined | void>;
}

/** One line of the report. */
export interface GuestResult {
  name: string;
  outcome: 'passed' | 'failed' | 'skipped';
  /** Milliseconds. */
  duration: number;
  /** Figures of a passed test, the error of a failed one, the reason of a skipped one. */
  detail?: string;
}
