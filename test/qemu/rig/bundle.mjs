import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const PACKAGES = fileURLToPath(new URL('../../../packages/', import.meta.url));
const ADDON = `prebuilds/linux-${process.arch}/nitro-enclaves.node`;

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

/**
 * Makes one file of a TypeScript program and all that it imports: `folder`/lib/`name`. The addon is beside it, where an
 * installed package has it.
 */
export async function bundleProgram(entry, folder, name) {
  await build({
    entryPoints: [entry],
    outfile: join(folder, 'lib', name),
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
  await mkdir(dirname(join(folder, ADDON)), { recursive: true });
  await copyFile(join(PACKAGES, 'native', ADDON), join(folder, ADDON));
}
