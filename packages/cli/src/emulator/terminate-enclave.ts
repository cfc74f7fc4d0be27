import { NitroEnclavesError } from '@nitro-enclaves/core';
import type { CommandContext } from '../command-context.ts';
import { writeJson } from '../output.ts';
import type { EnclaveChoice } from './enclave-choice.ts';
import type { FolderOption } from './folder-option.ts';
import { clientOf } from './folder-option.ts';

/** `emulator terminate-enclave`: prints what nitro-cli prints. */
export async function terminateCommand({ enclave, ...options }: EnclaveChoice, context: CommandContext): Promise<void> {
  const terminated = await clientOf(options, context).terminateEnclave(enclave);
  context.stderr.write(`Successfully terminated enclave ${terminated.EnclaveID}.\n`);
  writeJson(context, terminated);
}

/** `emulator terminate-enclave --all`: one JSON object for each, as nitro-cli. */
export async function terminateAllCommand(options: FolderOption, context: CommandContext): Promise<void> {
  const client = clientOf(options, context);
  for (const { EnclaveID } of await client.describeEnclaves()) {
    try {
      await terminateCommand({ ...options, enclave: EnclaveID }, context);
    } catch (error) {
      // It has ended by itself since; the others are still to be ended.
      if (!(error instanceof NitroEnclavesError && error.code === 'EMULATOR_ENCLAVE_UNKNOWN')) throw error;
    }
  }
}
