import type { RunEnclaveOptions } from '@nitro-enclaves/emulator';
import type { CommandContext } from '../command-context.ts';
import { pathOf, writeJson } from '../output.ts';
import { copyConsole } from './console.ts';
import type { FolderOption } from './folder-option.ts';
import { clientOf } from './folder-option.ts';

/** Options of `emulator run-enclave`: nitro-cli's own, and those of a command. */
export interface RunOptions extends FolderOption {
  readonly eif?: string;
  readonly eifPath?: string;
  readonly memory?: number;
  readonly cpuCount?: number;
  readonly enclaveCid?: number;
  readonly enclaveName?: string;
  readonly debugMode?: boolean;
  readonly attachConsole?: boolean;
  readonly env?: readonly string[];
  readonly measure?: readonly string[];
}

function environmentOf(variables: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    variables.map((variable) => {
      const split = variable.indexOf('=');
      return [variable.slice(0, split), variable.slice(split + 1)];
    }),
  );
}

type WhatToRun = { readonly eif: string } | { readonly command: readonly string[] };

/** The image or the command, of which there must be one. */
export function whatToRun(
  options: RunOptions,
  command: readonly string[],
  refuse: (message: string) => never,
): WhatToRun {
  const eif = options.eif ?? options.eifPath;
  if (eif !== undefined && command.length > 0) return refuse('error: give an image or a command, not both');
  if (eif !== undefined) return { eif };
  if (command.length > 0) return { command };
  return refuse('error: give an image (--eif) or a command (after --)');
}

function runOptions(what: WhatToRun, options: RunOptions, context: CommandContext): RunEnclaveOptions {
  const { memory: memoryMiB, cpuCount, enclaveCid, enclaveName, attachConsole = false } = options;
  const debugMode = (options.debugMode ?? false) || attachConsole;
  const common = { memoryMiB, cpuCount, enclaveCid, enclaveName, debugMode, signal: context.signal };
  if ('eif' in what) return { ...common, eif: pathOf(context, what.eif) };
  const { env, measure = [] } = options;
  return {
    ...common,
    command: what.command,
    workingDirectory: context.cwd,
    searchPath: context.env['PATH'],
    files: measure,
    ...(env !== undefined && { environment: environmentOf(env) }),
  };
}

/** `emulator run-enclave`: prints what nitro-cli prints. */
export async function runEnclaveCommand(what: WhatToRun, options: RunOptions, context: CommandContext): Promise<void> {
  const client = clientOf(options, context);
  const run = await client.runEnclave(runOptions(what, options, context));
  const { EnclaveCID, MemoryMiB, CPUIDs } = run;
  context.stderr.write(
    `Started enclave with enclave-cid: ${EnclaveCID}, memory: ${MemoryMiB} MiB, cpu-ids: [${CPUIDs.join(', ')}]\n`,
  );
  writeJson(context, run);
  if (options.attachConsole) await copyConsole(await client.console(run.EnclaveID), context);
}
