import type { Readable } from 'node:stream';

/** What `nitro-cli run-enclave` takes. */
export interface RunEnclaveOptions {
  /** Path of the image. */
  readonly eifPath: string;
  /** MiB, at least 64 and at least 4 times the image. */
  readonly memoryMiB: number;
  readonly cpuCount: number;
  /** 4 to 4294967294; default: the launcher chooses. */
  readonly enclaveCid?: number;
  readonly enclaveName?: string;
  /**
   * Console on, and PCR0 to PCR2 zero in attestation documents.
   * Production policies refuse such an enclave.
   */
  readonly debugMode?: boolean;
  readonly signal?: AbortSignal;
}

/** Names and shape of nitro-cli's JSON, so that what reads one reads all. */
export interface RunningEnclave {
  readonly EnclaveName?: string;
  readonly EnclaveID: string;
  readonly ProcessID: number;
  readonly EnclaveCID: number;
  readonly NumberOfCPUs: number;
  readonly CPUIDs: readonly number[];
  readonly MemoryMiB: number;
}

/** PCRs as lower-case hexadecimal of 96 digits. */
export interface EnclaveMeasurements {
  readonly HashAlgorithm: string;
  readonly PCR0: string;
  readonly PCR1: string;
  readonly PCR2: string;
  readonly PCR8?: string;
}

/** One element of what `nitro-cli describe-enclaves` prints. */
export interface EnclaveDescription extends RunningEnclave {
  readonly State: 'EMPTY' | 'RUNNING' | 'TERMINATING';
  readonly Flags: 'DEBUG_MODE' | 'NONE';
  readonly Measurements?: EnclaveMeasurements;
}

/** Options of calls that only wait. */
export interface WaitOptions {
  readonly signal?: AbortSignal;
}

/** Starts, lists and ends enclaves, wherever they run: nitro-cli on an EC2 instance, the emulator, QEMU. */
export interface EnclaveLauncher {
  runEnclave(options: RunEnclaveOptions): Promise<RunningEnclave>;
  describeEnclaves(options?: WaitOptions): Promise<readonly EnclaveDescription[]>;
  /** The console's bytes from now on, until the enclave ends or `signal` is aborted. Debug mode only. */
  console(enclaveId: string, options?: WaitOptions): Readable;
  terminateEnclave(enclaveId: string, options?: WaitOptions): Promise<void>;
}
