import { resolve } from 'node:path';
import type { CommandContext } from './command-context.ts';

/**
 * Text of others for a terminal: characters that would command it, or turn the direction of writing, are written out in
 * the way of JSON, which takes them inside strings.
 */
export function escapeControls(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) =>
    Array.from({ length: character.length }, (_, at) => character.charCodeAt(at))
      .map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`)
      .join(''),
  );
}

/** Prints a result as JSON, as people read it and scripts parse it. */
export function writeJson(context: CommandContext, value: unknown): void {
  writeLines(context, JSON.stringify(value, undefined, 2).split('\n').map(escapeControls));
}

/** Prints a result's lines. */
export function writeLines({ stdout }: CommandContext, lines: readonly string[]): void {
  for (const line of lines) stdout.write(`${line}\n`);
}

/** A path that was given on the command line, as this command's folder sees it. */
export function pathOf({ cwd }: CommandContext, path: string): string {
  return resolve(cwd, path);
}
