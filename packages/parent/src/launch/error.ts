import { NitroEnclavesError } from '@nitro-enclaves/core';

/** Why an enclave was not launched, or not kept running, before or beside nitro-cli's own reasons. */
export type LaunchErrorCode =
  | 'NITRO_CLI_MISSING'
  | 'NITRO_CLI_OUTPUT'
  | 'NITRO_CLI_TIMEOUT'
  | 'EIF_UNREADABLE'
  | 'MEMORY_TOO_SMALL'
  | 'HUGEPAGES_MISSING'
  | 'ENCLAVE_CID'
  | 'NOT_READY'
  | 'ENCLAVE_EXITED';

/** An enclave could not be launched, or did not become ready. */
export class LaunchError extends NitroEnclavesError<LaunchErrorCode> {}
