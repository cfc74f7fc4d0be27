import type { Readable } from 'node:stream';
import type { EmulatedEnclave } from './emulated-enclave.ts';
import type { Emulator } from './emulator.ts';
import type { DescribeEnclaveOutput, RunEnclaveOutput } from './nitro-cli-output.ts';

/** What {@link EmulatorLauncher.runEnclave} takes: nitro-cli's options. */
export interface LaunchOptions {
  readonly eifPath: string;
  readonly memoryMiB: number;
  readonly cpuCount: number;
  readonly enclaveCid?: number;
  readonly enclaveName?: string;
  readonly debugMode?: boolean;
  readonly signal?: AbortSignal;
}

/** An emulator in the form of `EnclaveLauncher` (package `parent`): what drives nitro-cli drives this. */
export interface EmulatorLauncher {
  runEnclave(options: LaunchOptions): Promise<RunEnclaveOutput>;
  describeEnclaves(): Promise<readonly DescribeEnclaveOutput[]>;
  console(enclaveId: string): Readable;
  terminateEnclave(enclaveId: string): Promise<void>;
}

/** Makes `emulator` a launcher of images. */
export function createLauncher(emulator: Emulator): EmulatorLauncher {
  return {
    runEnclave: async ({ eifPath, ...options }) => {
      const enclave: EmulatedEnclave = await emulator.runEnclave({ ...options, eif: eifPath });
      return enclave.toJSON();
    },
    describeEnclaves: async () => emulator.describeEnclaves(),
    console: (enclaveId) => emulator.console(enclaveId),
    terminateEnclave: async (enclaveId) => {
      await emulator.terminateEnclave(enclaveId);
    },
  };
}
