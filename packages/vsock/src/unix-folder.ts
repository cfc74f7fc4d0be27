import { randomInt, randomUUID } from 'node:crypto';
import { lstat, mkdir, rename, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { VsockAddress } from './address.ts';
import { errorCode } from './error.ts';

const LONGEST_NAME = '4294967295.4294967295';
/** `sun_path` holds 108 bytes on Linux and 104 on the BSDs and macOS, one of which is the final zero. */
const LONGEST_PATH_BYTES = process.platform === 'linux' ? 107 : 103;
const FIRST_EPHEMERAL_PORT = 0x0001_0000;
const LAST_EPHEMERAL_PORT = 0x7fff_ffff;

/** Refuses a folder in which not every address has a path that a Unix socket can have. */
export function expectShortPath(folder: string): void {
  const longest = Buffer.byteLength(join(folder, LONGEST_NAME));
  if (longest <= LONGEST_PATH_BYTES) return;
  const room = LONGEST_PATH_BYTES - LONGEST_NAME.length - 1;
  const message = `expected a folder of at most ${room} bytes (Unix socket paths are short), found ${longest - LONGEST_NAME.length - 1}`;
  throw Object.assign(new RangeError(message), { code: 'ENAMETOOLONG' });
}

/** Where the socket of `address` is. */
export function socketPath(folder: string, { cid, port }: VsockAddress): string {
  return join(folder, `${cid}.${port}`);
}

/** A port above those that services choose. */
export function ephemeralPort(): number {
  return randomInt(FIRST_EPHEMERAL_PORT, LAST_EPHEMERAL_PORT);
}

/** Makes the folder, open to nobody but its owner, unless it is there. */
export async function createFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
}

/** Whether somebody listens on `path`. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path }, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error) => resolve(!['ECONNREFUSED', 'ENOENT'].includes(errorCode(error) ?? '')));
  });
}

/** What is not there is no other file. */
async function isOtherFile(path: string): Promise<boolean> {
  try {
    return !(await lstat(path)).isSocket();
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
}

/**
 * Takes away a socket whose process has died without doing so; whether there is now room at `path`. It is moved aside
 * before it is looked at again, so that a listener which another process opens in between is not taken for the dead one. A
 * file that is no socket is nobody's to take away.
 */
export async function removeDeadSocket(path: string): Promise<boolean> {
  if ((await isOtherFile(path)) || (await answers(path))) return false;
  const aside = `${path.slice(0, path.lastIndexOf('/') + 1)}${randomUUID().slice(0, 8)}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return true;
    throw error;
  }
  if (await answers(aside)) {
    await rename(aside, path);
    return false;
  }
  await rm(aside, { force: true });
  return true;
}
