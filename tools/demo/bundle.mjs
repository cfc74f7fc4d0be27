// Makes the root folder of an enclave out of an application: one bundled file, Node, and the libraries that Node needs.
import { copyFileSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';
import { copyProgram } from '../../test/qemu/rig/guest-root.mjs';

/** The addon of AF_VSOCK and the NSM, where the bundle looks for it: beside its folder. */
function copyAddon(root) {
  const file = `prebuilds/linux-${process.arch}/nitro-enclaves.node`;
  mkdirSync(dirname(join(root, file)), { recursive: true });
  copyFileSync(new URL(`../../packages/native/${file}`, import.meta.url), join(root, file));
}

/** Bundles `entry` into /app/main.mjs of `root`, beside /usr/bin/node. `banner` goes in front: another banner, another image. */
export async function makeRoot(root, { entry, banner = '' }) {
  mkdirSync(join(root, 'app'), { recursive: true });
  await build({
    entryPoints: [entry],
    outfile: join(root, 'app', 'main.mjs'),
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    minifySyntax: true,
    legalComments: 'none',
    logLevel: 'error',
    // Packages in CommonJS inside of the bundle ask for Node's own modules by require().
    banner: {
      js: `import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);\n${banner}`,
    },
  });
  await copyProgram(root, realpathSync(process.execPath), '/usr/bin/node');
  copyAddon(root);
  mkdirSync(join(root, 'etc'), { recursive: true });
  writeFileSync(join(root, 'etc', 'passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
}
