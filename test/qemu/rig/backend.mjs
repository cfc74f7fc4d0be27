import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cached } from './cache.mjs';
import { runCommand } from './command.mjs';

const SOURCES = fileURLToPath(new URL('../backend/', import.meta.url));
const FLAGS = ['-std=gnu11', '-O2', '-Wall', '-Wextra', '-Werror'];

/**
 * The host's side of the guest's vsock device.
 * @returns {Promise<string>} path of the program.
 */
export async function prepareBackend() {
  const names = (await readdir(SOURCES)).sort();
  const sources = await Promise.all(names.map((name) => readFile(join(SOURCES, name))));
  const folder = await cached('vsock-backend', [FLAGS.join(' '), ...sources], async (target) => {
    const files = names.filter((name) => name.endsWith('.c')).map((name) => join(SOURCES, name));
    await runCommand('gcc', [...FLAGS, '-o', join(target, 'vsock-backend'), ...files], { timeout: 120_000 });
  });
  return join(folder, 'vsock-backend');
}
