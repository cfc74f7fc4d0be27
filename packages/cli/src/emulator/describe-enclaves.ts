import type { CommandContext } from '../command-context.ts';
import { writeJson } from '../output.ts';
import type { FolderOption } from './folder-option.ts';
import { clientOf } from './folder-option.ts';

/** Options of `emulator describe-enclaves`. */
export interface DescribeFlags extends FolderOption {
  readonly metadata?: boolean;
}

/** `emulator describe-enclaves`: prints what nitro-cli prints. */
export async function describeCommand(options: DescribeFlags, context: CommandContext): Promise<void> {
  const { metadata } = options;
  writeJson(context, await clientOf(options, context).describeEnclaves({ metadata }));
}
