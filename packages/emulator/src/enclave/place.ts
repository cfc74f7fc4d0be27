import { join } from 'node:path';

/** Names the folder of an emulated enclave. Set by the emulator for what it runs, and by nothing else. */
export const EMULATOR_VARIABLE = 'NITRO_ENCLAVES_EMULATOR';

/** What the folder of one emulated enclave holds. Paths are relative to it, so that it can be mounted elsewhere. */
export interface EnclavePlace {
  /** Where the NSM listens: a Unix socket. */
  readonly nsmSocket: string;
  /** Folder of the Unix sockets that stand for vsock; all machines of one emulator share it. */
  readonly transportFolder: string;
  /** File that says who the enclave is: {@link EnclaveIdentityFile}. */
  readonly identityFile: string;
}

/** Who an emulated enclave is, as JSON. */
export interface EnclaveIdentityFile {
  readonly cid: number;
  /** Certificate (PEM) of the authority of the emulated KMS; absent where there is no KMS. */
  readonly kmsCa?: string;
}

/** The parts of the folder of one emulated enclave. */
export function placeIn(folder: string): EnclavePlace {
  return {
    nsmSocket: join(folder, 'nsm.sock'),
    transportFolder: join(folder, 'vsock'),
    identityFile: join(folder, 'enclave.json'),
  };
}
