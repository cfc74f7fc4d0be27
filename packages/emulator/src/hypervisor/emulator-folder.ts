import { rmSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EmulatorError } from '../error.ts';
import { removeTree } from './enclave-folder.ts';

/** Says that a folder is an emulator's, and which process it belongs to. */
const MARKER = 'emulator.json';

function isAlive(pid: unknown): boolean {
  if (typeof pid !== 'number') return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: there is one, of somebody else.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

async function readOwner(folder: string): Promise<unknown> {
  const { pid } = JSON.parse(await readFile(join(folder, MARKER), 'utf8'));
  return pid;
}

/** Empties a folder that an emulator left behind when it was killed. Never anybody else's. */
async function expectFree(folder: string): Promise<void> {
  const found = await readdir(folder);
  if (found.length === 0) return;
  if (!found.includes(MARKER)) {
    throw new EmulatorError('EMULATOR_FOLDER', `expected an empty folder at ${folder}, found ${found.length} entries`);
  }
  const owner = await readOwner(folder);
  if (isAlive(owner)) {
    throw new EmulatorError(
      'EMULATOR_FOLDER',
      `expected a folder of its own, found the emulator of process ${owner} in ${folder}`,
    );
  }
  for (const name of found) await removeTree(join(folder, name));
}

/** The folder of everything that one emulator has on disk. */
export class EmulatorFolder {
  readonly path: string;
  /** Folder of the sockets that stand for vsock. */
  readonly sockets: string;

  private constructor(path: string) {
    this.path = path;
    this.sockets = join(path, 'vsock');
  }

  /**
   * Makes the folder: at `wanted`, or a temporary one.
   * @throws {EmulatorError} `EMULATOR_FOLDER` when it is not empty, and not what a killed emulator left.
   */
  static async create(wanted: string | undefined): Promise<EmulatorFolder> {
    const folder = new EmulatorFolder(wanted ?? (await mkdtemp(join(tmpdir(), 'nitro-'))));
    await mkdir(folder.path, { recursive: true, mode: 0o700 });
    await expectFree(folder.path);
    await chmod(folder.path, 0o700);
    await writeFile(join(folder.path, MARKER), JSON.stringify({ pid: process.pid }));
    await mkdir(folder.sockets, { mode: 0o700 });
    return folder;
  }

  /** Removes the folder with everything in it. */
  async close(): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }

  /** The same for a process that is about to end. */
  closeSync(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
