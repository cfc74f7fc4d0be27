import type { Transport } from '@nitro-enclaves/vsock';
import type { TlsIdentity } from '../traffic/services.ts';

/** Port of the parent on which the tests get their settings, and give their report. */
export const REPORT_PORT = 5000;

/** What the parent tells the tests before they begin. */
export interface GuestSettings {
  /** PCRs as `eif` predicted them from the image and from how it was started, in hexadecimal, by index. */
  predictedPcrs: Readonly<Record<string, string>>;
  /** Module id that the enclave was started with, if the launcher could choose it. */
  moduleId?: string;
  tls: TlsIdentity;
  bulkMebibytes: number;
  connections: number;
}

/** What goes from the parent to the enclave, a line of JSON each: first the settings, then what came of visits. */
export type ParentMessage =
  | { settings: GuestSettings }
  | { visited: string; figures: string }
  | { visited: string; error: string };

/** What goes from the enclave to the parent, a line of JSON each. */
export type GuestMessage = { result: GuestResult } | { visit: string };

/** The parent program, as the tests see it. */
export interface Parent {
  readonly settings: GuestSettings;
  /** How much the traffic scenarios are to do. */
  readonly load: { certificate: string; bulkMebibytes: number; connections: number };
  /** Has the parent run a traffic scenario against the enclave. */
  visit(scenario: string): Promise<string>;
}

/** What not every enclave has: the parent program, and a kernel whose vsock reaches itself. */
export type Need = 'parent' | 'loopback';

/** What the tests inside the enclave have at hand. */
export interface GuestContext {
  readonly transport: Transport;
  /** The parent program; a test that asks for it needs it. */
  parent(): Parent;
  /** What this enclave lacks, and how to get it. */
  readonly missing: ReadonlyMap<Need, string>;
}

/** A statement about this machine; `run` rejects if it does not hold, and may give figures for the report. */
export interface GuestTest {
  /** What holds, as a sentence. */
  name: string;
  /** What it cannot do without. */
  needs?: Need;
  /** Deadline, in ms; default 60 000. */
  timeout?: number;
  run(context: GuestContext): Promise<string | undefined>;
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
