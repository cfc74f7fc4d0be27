import type { FolderOption } from './folder-option.ts';

/** nitro-cli's two ways to name an enclave. */
export interface EnclaveOptions extends FolderOption {
  readonly enclaveId?: string;
  readonly enclaveName?: string;
}

/** An enclave by its id or name, and the emulator that has it. */
export interface EnclaveChoice extends FolderOption {
  readonly enclave: string;
}

/** The one enclave that the options name. */
export function chooseEnclave(options: EnclaveOptions, refuse: (message: string) => never): EnclaveChoice {
  const { enclaveId, enclaveName, folder } = options;
  const enclave = enclaveId ?? enclaveName;
  if (enclave === undefined || (enclaveId !== undefined && enclaveName !== undefined)) {
    return refuse('error: give --enclave-id or --enclave-name');
  }
  return { enclave, ...(folder !== undefined && { folder }) };
}
