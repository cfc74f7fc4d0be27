import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

const MANIFEST = 'manifest.json';

/** Where everything that is prepared once lives: outside of the source tree, so that `git clean` costs no build. */
export const CACHE_FOLDER = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'nitro-enclaves-sdk', 'qemu');

async function sha256OfFile(path) {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest('hex');
}

async function filesBelow(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name !== MANIFEST)
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(folder.length + 1))
    .sort();
}

async function hashFiles(folder) {
  const hashes = {};
  for (const name of await filesBelow(folder)) hashes[name] = await sha256OfFile(join(folder, name));
  return hashes;
}

/** Whether `folder` holds exactly the files, byte for byte, that were there when it was finished. */
async function isIntact(folder) {
  const manifest = await readFile(join(folder, MANIFEST), 'utf8').catch(() => undefined);
  return manifest !== undefined && manifest === JSON.stringify(await hashFiles(folder), null, 1);
}

/**
 * Gives the folder of what `make` makes, making it only if no intact one is there. `recipe` is everything that decides
 * the outcome (sources, versions, flags): another recipe is another folder. Built beside and renamed when complete, so
 * an interrupted or a concurrent run never leaves half a result.
 * @param {string} name
 * @param {readonly (string | Uint8Array)[]} recipe
 * @param {(folder: string) => Promise<void>} make
 * @returns {Promise<string>}
 */
export async function cached(name, recipe, make) {
  const hash = createHash('sha256');
  for (const part of recipe) hash.update(createHash('sha256').update(part).digest());
  const folder = join(CACHE_FOLDER, `${name}-${hash.digest('hex').slice(0, 16)}`);
  if (await isIntact(folder)) return folder;

  const building = `${folder}.${randomUUID()}`;
  await mkdir(building, { recursive: true });
  try {
    await make(building);
    await writeFile(join(building, MANIFEST), JSON.stringify(await hashFiles(building), null, 1));
    await rm(folder, { recursive: true, force: true });
    await rename(building, folder);
  } finally {
    await rm(building, { recursive: true, force: true });
  }
  return folder;
}
