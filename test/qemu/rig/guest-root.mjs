import { chmod, copyFile, mkdir, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleProgram } from './bundle.mjs';
import { runCommand } from './command.mjs';

const ENTRY = fileURLToPath(new URL('../guest/main.ts', import.meta.url));

/** What runs in the image. */
export const GUEST_COMMAND = ['/usr/bin/node', '/app/lib/main.mjs'];

async function copyInto(root, source, path) {
  await mkdir(join(root, dirname(path)), { recursive: true });
  await copyFile(source, join(root, path));
}

/** Copies a program and the libraries that it is linked with, each where it is on this machine. */
export async function copyProgram(root, program, path) {
  await copyInto(root, program, path);
  await chmod(join(root, path), 0o755);
  const libraries = (await runCommand('ldd', [program], { timeout: 10_000 })).toString();
  for (const [, library] of libraries.matchAll(/(\/\S+) \(0x/g)) {
    await copyInto(root, await realpath(library), library);
  }
}

/**
 * Makes the root file system of the test image in `root`: the running Node, the tests as one file, the addon.
 * @param {string} root an empty folder.
 */
export async function makeGuestRoot(root) {
  await copyProgram(root, process.execPath, '/usr/bin/node');
  await bundleProgram(ENTRY, join(root, 'app'), 'main.mjs');
}
