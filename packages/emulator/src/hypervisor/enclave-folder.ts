import { chmod, lstat, mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EnclaveIdentityFile } from '../enclave/place.ts';
import { placeIn } from '../enclave/place.ts';
import { EmulatorError } from '../error.ts';
import { isSystemError } from '../system-error.ts';

/** Folders of one running enclave. */
export interface EnclaveFolder {
  /** The enclave's place: its identity, its NSM's socket, its way to the sockets of vsock. */
  readonly place: string;
  /** Where its image is unpacked. */
  readonly image: string;
}

/** Makes the folder of an enclave in the emulator's. */
export async function createEnclaveFolder(
  emulatorFolder: string,
  identity: EnclaveIdentityFile,
): Promise<EnclaveFolder> {
  const { cid } = identity;
  const place = join(emulatorFolder, `e${cid}`);
  await mkdir(place, { mode: 0o700 });
  await writeFile(placeIn(place).identityFile, JSON.stringify(identity));
  await symlink(join('..', 'vsock'), placeIn(place).transportFolder);
  return { place, image: join(emulatorFolder, `image-${cid}`) };
}

/** Folders of an image may be read-only, which keeps everybody but root from emptying them. */
async function makeWritable(folder: string): Promise<void> {
  await chmod(folder, 0o700);
  const entries = await readdir(folder, { withFileTypes: true });
  for (const entry of entries) if (entry.isDirectory()) await makeWritable(join(folder, entry.name));
}

/** Removes a folder with all that is in it, whatever the modes; one that is not there is removed already. */
export async function removeTree(folder: string): Promise<void> {
  try {
    await rm(folder, { recursive: true, force: true });
  } catch (error) {
    if (!isSystemError(error, 'EACCES')) throw error;
    await makeWritable(folder);
    await rm(folder, { recursive: true });
  }
}

/** Names in a folder: none when somebody has removed it. */
async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return [];
    throw error;
  }
}

/** Takes away what an enclave leaves: its folder, its image, and sockets that it did not live to close. */
export async function removeEnclaveFolder(emulatorFolder: string, cid: number, folder: EnclaveFolder): Promise<void> {
  await rm(folder.place, { recursive: true, force: true });
  await removeTree(folder.image);
  const sockets = join(emulatorFolder, 'vsock');
  const left = (await namesIn(sockets)).filter((name) => name.startsWith(`${cid}.`));
  await Promise.all(left.map((name) => rm(join(sockets, name), { force: true })));
}

/** Folders that the emulator mounts over. A link there would have it mount over something else. */
const MOUNT_POINTS = ['dev', 'proc', 'tmp', 'run'];

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isDirectory();
  } catch (error) {
    if (!isSystemError(error, 'ENOENT')) throw error;
    await mkdir(path);
    return true;
  }
}

/** @throws {EmulatorError} `EMULATOR_IMAGE` when a mount point of the image is no folder. */
export async function prepareMountPoints(root: string): Promise<void> {
  for (const name of MOUNT_POINTS) {
    if (await isFolder(join(root, name))) continue;
    throw new EmulatorError('EMULATOR_IMAGE', `expected /${name} to be a folder in the image, found something else`);
  }
}
