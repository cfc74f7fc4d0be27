import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const PACKAGES = fileURLToPath(new URL('../../../packages/', import.meta.url));
const ADDONS = ['nitro-enclaves.node', 'nitro-enclaves-relay.node'].map(
  (file) => `prebuilds/linux-${process.arch}/${file}`,
);

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
 * Makes one file of a TypeScript program and all that it imports: `folder`/lib/`name`. The addons are beside it, where an
 * installed package has them.
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
  for (const addon of ADDONS) {
    await mkdir(dirname(join(folder, addon)), { recursive: true });
    await copyFile(join(PACKAGES, 'native', addon), join(folder, addon));
  }
}
