import { resolve } from 'node:path';
import type { CommandContext } from './command-context.ts';

/** Prints a result as JSON, as people read it and scripts parse it. */
export function writeJson({ stdout }: CommandContext, value: unknown): void {
  stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
}

/** Prints a result's lines. */
export function writeLines({ stdout }: CommandContext, lines: readonly string[]): void {
  for (const line of lines) stdout.write(`${line}\n`);
}

/** A path that was given on the command line, as this command's folder sees it. */
export function pathOf({ cwd }: CommandContext, path: string): string {
  return resolve(cwd, path);
}
