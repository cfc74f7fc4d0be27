import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EmulatorClient } from '@nitro-enclaves/emulator/control';
import { connectEmulator } from '@nitro-enclaves/emulator/control';
import { Option } from 'commander';
import type { CommandContext } from '../command-context.ts';
import { pathOf } from '../output.ts';

/** Option of every command of the emulator. */
export interface FolderOption {
  readonly folder?: string;
}

/** Where an emulator is when nobody says where: one for each user of this machine. */
function defaultFolder({ env }: CommandContext): string {
  const { XDG_RUNTIME_DIR: runtime } = env;
  const user = process.getuid?.() ?? 'user';
  return runtime ? join(runtime, 'nitro-enclaves-emulator') : join(tmpdir(), `nitro-enclaves-emulator-${user}`);
}

/** The option `--folder`. */
export function folderOption(): Option {
  return new Option('--folder <folder>', "the emulator's folder (default: one for each user)").env(
    'NITRO_ENCLAVES_EMULATOR_FOLDER',
  );
}

/** The emulator's folder. */
export function folderOf({ folder }: FolderOption, context: CommandContext): string {
  // A variable that is set to nothing says nothing.
  return folder ? pathOf(context, folder) : defaultFolder(context);
}

/** The emulator that runs in the folder. */
export function clientOf(options: FolderOption, context: CommandContext): EmulatorClient {
  return connectEmulator(folderOf(options, context));
}
