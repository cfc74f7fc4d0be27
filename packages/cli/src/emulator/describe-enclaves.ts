import type { CommandContext } from '../command-context.ts';
import { writeJson } from '../output.ts';
import type { FolderOption } from './folder-option.ts';
import { clientOf } from './folder-option.ts';

/** `emulator describe-enclaves`: prints what nitro-cli prints. */
export async function describeCommand(options: FolderOption, context: CommandContext): Promise<void> {
  writeJson(context, await (await clientOf(options, context)).describeEnclaves());
}
