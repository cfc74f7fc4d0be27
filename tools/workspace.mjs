// The packages of this tree, and their packed forms: what a user would install.
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, run } from './run.mjs';

/** Names of the folders under `packages/`, sorted. */
export function packageFolders() {
  return readdirSync(join(ROOT, 'packages'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
}

/** The package.json of a folder under `packages/`. */
export function manifestOf(folder) {
  return JSON.parse(readFileSync(join(ROOT, 'packages', folder, 'package.json'), 'utf8'));
}

/**
 * Packs every package into `destination`, with the versions that publishing would write.
 * @returns {Promise<{ folder: string, name: string, tarball: string }[]>}
 */
export async function packAll(destination) {
  mkdirSync(destination, { recursive: true });
  const { status, output } = await run(
    'pnpm',
    ['--recursive', '--filter', './packages/*', 'pack', '--pack-destination', destination],
    { quiet: true },
  );
  if (status !== 0) throw new Error(`packing failed:\n${output.slice(-2000)}`);
  return packageFolders().map((folder) => {
    const { name, version } = manifestOf(folder);
    return { folder, name, tarball: join(destination, `${name.replace('@', '').replace('/', '-')}-${version}.tgz`) };
  });
}
