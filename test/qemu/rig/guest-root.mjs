import { chmod, copyFile, mkdir, readFile, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { runCommand } from './command.mjs';

const PACKAGES = fileURLToPath(new URL('../../../packages/', import.meta.url));
const ENTRY = fileURLToPath(new URL('../guest/main.ts', import.meta.url));
const ADDON = 'prebuilds/linux-x64/nitro-enclaves.node';

/** Where the program lies in the image: the addon is found from there as from an installed package. */
export const GUEST_PROGRAM = '/app/lib/main.mjs';

async function sourceOf(specifier) {
  const [, name, ...subpath] = specifier.split('/');
  const folder = join(PACKAGES, name);
  const { exports } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
  let target = exports[['.', ...subpath].join('/')];
  while (typeof target !== 'string') target = target.node ?? target.default;
  return join(folder, target.replace('dist/', 'src/').replace(/\.js$/, '.ts'));
}

/** The workspace's packages as they are in the tree, not as they were last built. */
const workspaceSources = {
  name: 'workspace-sources',
  setup({ onResolve }) {
    onResolve({ filter: /^@nitro-enclaves\// }, async ({ path }) => ({ path: await sourceOf(path) }));
  },
};

async function copyInto(root, source, path) {
  await mkdir(join(root, dirname(path)), { recursive: true });
  await copyFile(source, join(root, path));
}

/** Copies a program and the libraries that it is linked with, each where it is on this machine. */
async function copyProgram(root, program, path) {
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
  await build({
    entryPoints: [ENTRY],
    outfile: join(root, GUEST_PROGRAM),
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    plugins: [workspaceSources],
    // Bundled CommonJS asks for modules of Node by `require`, which an ES module does not have by itself.
    banner: {
      js: "import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);",
    },
    logLevel: 'warning',
  });
  await copyInto(root, join(PACKAGES, 'native', ADDON), `/app/${ADDON}`);
}
