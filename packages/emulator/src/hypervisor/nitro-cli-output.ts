/** What `nitro-cli run-enclave` prints. */
export interface RunEnclaveOutput {
  readonly EnclaveName: string;
  readonly EnclaveID: string;
  readonly ProcessID: number;
  readonly EnclaveCID: number;
  readonly NumberOfCPUs: number;
  readonly CPUIDs: readonly number[];
  readonly MemoryMiB: number;
}

/** PCRs of an image as nitro-cli prints them. */
export interface MeasurementsOutput {
  readonly HashAlgorithm: string;
  readonly PCR0: string;
  readonly PCR1: string;
  readonly PCR2: string;
  readonly PCR8?: string;
}

/** What an image says of itself. No PCR covers it: for people, never for decisions. */
export interface MetadataOutput {
  readonly ImageName?: string | undefined;
  readonly ImageVersion?: string | undefined;
  readonly Metadata?: Readonly<Record<string, unknown>> | undefined;
}

/** One enclave of what `nitro-cli describe-enclaves` prints; with `--metadata` what its image says of itself too. */
export interface DescribeEnclaveOutput extends RunEnclaveOutput, MetadataOutput {
  readonly State: 'RUNNING' | 'TERMINATING';
  readonly Flags: 'DEBUG_MODE' | 'NONE';
  readonly Measurements: MeasurementsOutput;
}

/** What `nitro-cli terminate-enclave` prints. */
export interface TerminateEnclaveOutput {
  readonly EnclaveName: string;
  readonly EnclaveID: string;
  readonly Terminated: true;
}

/** What nitro-cli calls the hash function of PCRs: the debug form of a Rust struct. */
export const HASH_ALGORITHM = 'Sha384 { ... }';
