import type { Faults } from '@nitro-enclaves/emulator';
import type { Transport } from '@nitro-enclaves/vsock';
import type { Load } from '../traffic/scenarios.ts';
import type { TlsIdentity } from '../traffic/services.ts';

/** Port of the parent on which the tests get their settings, and give their report. */
export const REPORT_PORT = 5000;

/** How to reach the emulated KMS, by the relay on the parent's port 8000; credentials are on port 8001, too. */
export interface KmsSettings {
  /** Certificate of its authority, PEM. */
  ca: string;
  region: string;
  credentials: { accessKeyId: string; secretAccessKey: string; sessionToken?: string };
  /** ARN of a symmetric key, and of a P-256 key for key agreement, that this image may use. */
  keyArn: string;
  agreementKeyArn: string;
}

/** What the parent tells the tests before they begin. */
export interface GuestSettings {
  /** PCRs as `eif` predicted them from the image and from how it was started, in hexadecimal, by index. */
  predictedPcrs: Readonly<Record<string, string>>;
  /** Module id that the enclave was started with, if the launcher could choose it. */
  moduleId?: string;
  tls: TlsIdentity;
  /** How much the enclave does to the parent, and the parent to the enclave. */
  load: { outward: Load; inward: Load };
  /** Absent where there is none: on real hardware. */
  kms?: KmsSettings;
}

/** What goes from the parent to the enclave, a line of JSON each: first the settings, then what came of visits and faults. */
export type ParentMessage =
  | { settings: GuestSettings }
  | { visited: string; figures: string }
  | { visited: string; error: string }
  | { injected: true };

/** What goes from the enclave to the parent, a line of JSON each. */
export type GuestMessage = { result: GuestResult } | { visit: string } | { inject: Faults };

/** The parent program, as the tests see it. */
export interface Parent {
  readonly settings: GuestSettings;
  /** Has the parent run a traffic scenario against the enclave. */
  visit(scenario: string): Promise<string>;
  /** Replaces what goes wrong in the emulated KMS and on the way there, one call after the other. */
  inject(faults: Faults): Promise<void>;
}

/** What not every enclave has: the parent program, a kernel whose vsock reaches itself, the KMS of the emulator. */
export type Need = 'parent' | 'loopback' | 'emulated-kms';

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
