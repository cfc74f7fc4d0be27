// Runs other programs for the project's tools: from the root of the tree, with their output collected or passed on.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The root folder of the tree. */
export const ROOT = fileURLToPath(new URL('..', import.meta.url));

/**
 * Runs a program to its end.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ quiet?: boolean, cwd?: string, env?: Record<string, string | undefined> }} [options] `quiet` collects the
 *   output in place of passing it on.
 * @returns {Promise<{ status: number, output: string }>} exit status (1 when a signal ended it) and collected output.
 */
export async function run(command, args, { quiet = false, cwd = ROOT, env = process.env } = {}) {
  const child = spawn(command, args, {
    cwd,
    env,
    stdio: ['ignore', quiet ? 'pipe' : 'inherit', quiet ? 'pipe' : 'inherit'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
  }
  const status = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
  return { status, output };
}
