// What the examples' tests have in common: an example runs as an enclave of an emulator, out of its sources; the commands of
// its README run as a reader would run them, from the root of the tree.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { EmulatedEnclave, Emulator } from '@nitro-enclaves/emulator';
import { bundleProgram } from '../qemu/rig/bundle.mjs';
import { codeBlocks } from '../readme/code-blocks.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const UP_TIMEOUT_MS = 60_000;

/** A folder that is gone at the end of a block (`using`). */
export function scratchFolder(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'example-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** Bundles src/`entry`.ts of an example into `folder`, and gives the path of the one file. */
export async function bundleEntry(example: string, entry: string, folder: string): Promise<string> {
  await bundleProgram(join(ROOT, 'examples', example, 'src', `${entry}.ts`), folder, `${entry}.mjs`);
  return join(folder, 'lib', `${entry}.mjs`);
}

/** The command that runs the entry point of an example, bundled into `folder`. */
export async function commandOf(example: string, folder: string): Promise<string[]> {
  return [process.execPath, await bundleEntry(example, 'main', folder)];
}

/** Waits until the enclave listens on `port`; fails when it ends before. */
export async function untilListening(
  emulator: Emulator,
  { cid, exited }: EmulatedEnclave,
  port: number,
): Promise<void> {
  let hasEnded = false;
  exited.then(() => {
    hasEnded = true;
  });
  for (const deadline = Date.now() + UP_TIMEOUT_MS; ; ) {
    try {
      const socket = await emulator.transport.connect({ cid, port, timeout: 2000 });
      socket.destroy();
      return;
    } catch (error) {
      if (hasEnded || Date.now() > deadline) throw new Error('the application did not come up', { cause: error });
      await delay(100);
    }
  }
}

/** The code of a README's `sh` block with this mark. */
export function commandsIn(example: string, mark: string): string {
  const found = codeBlocks(`examples/${example}/README.md`).find(({ marks }) => marks.includes(mark));
  if (found === undefined) throw new Error(`expected a block of commands marked ${mark} in the README of ${example}`);
  return found.code;
}

/** Runs commands from the root of the tree, with the built `nitro-enclaves` on the path. Whatever they start ends with them. */
export function runCommands(script: string): { status: number | null; stdout: string; stderr: string } {
  using folder = scratchFolder();
  const bin = join(folder.path, 'bin');
  mkdirSync(bin);
  const main = join(ROOT, 'packages', 'cli', 'dist', 'main.js');
  writeFileSync(join(bin, 'nitro-enclaves'), `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`);
  chmodSync(join(bin, 'nitro-enclaves'), 0o755);
  return spawnSync('bash', ['-euo', 'pipefail', '-s'], {
    cwd: ROOT,
    env: { PATH: [bin, dirname(process.execPath), process.env['PATH']].join(delimiter), TMPDIR: folder.path },
    input: `trap 'kill $(jobs -p) 2> /dev/null || true; wait' EXIT\n${script}`,
    encoding: 'utf8',
    timeout: 150_000,
  });
}
