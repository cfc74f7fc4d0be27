import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { chmod, link, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { EmulatorError } from '../error.ts';
import type { ProcessIdentity } from '../process-identity.ts';
import { isRunning, startOfProcess } from '../process-identity.ts';
import { isSystemError } from '../system-error.ts';
import { removeTree } from './enclave-folder.ts';

/** Says that a folder is an emulator's, and which process it belongs to. */
const MARKER = 'emulator.json';

/** Everything that an emulator, or the command line around it, puts into its folder. What else is there is somebody's. */
const OWN_NAME = /^(?:emulator\.json|vsock|control\.sock|root\.pem|kms-ca\.pem|e\d+|image-\d+|pair-[0-9a-f]+)$/;
const DRAFT = /^emulator\.json\.(\d+)\.[0-9a-f-]+$/;

function isOwner(value: unknown): value is ProcessIdentity {
  return typeof value === 'object' && value !== null && 'pid' in value && Number.isSafeInteger(value.pid);
}

/** `undefined` when the file is not what an emulator writes. */
async function readOwner(folder: string): Promise<ProcessIdentity | undefined> {
  const text = await readFile(join(folder, MARKER), 'utf8');
  try {
    const owner: unknown = JSON.parse(text);
    return isOwner(owner) ? owner : undefined;
  } catch {
    return undefined;
  }
}

/** Left by an emulator that was killed before the folder was its own. */
function isDeadDraft(name: string): boolean {
  const [, pid] = name.match(DRAFT) ?? [];
  return pid !== undefined && !isRunning({ pid: Number(pid) });
}

function inUse(folder: string, owner: string): EmulatorError {
  return new EmulatorError('EMULATOR_FOLDER', `expected a folder of its own, found ${owner} in ${folder}`);
}

/** Empties a folder that an emulator left behind when it was killed. Never anybody else's. */
async function expectFree(folder: string): Promise<void> {
  const found = (await readdir(folder)).filter((name) => !isDeadDraft(name));
  if (found.length === 0) return;
  const owner = found.includes(MARKER) ? await readOwner(folder) : undefined;
  if (owner === undefined || !found.every((name) => OWN_NAME.test(name))) {
    throw new EmulatorError('EMULATOR_FOLDER', `expected an empty folder at ${folder}, found ${found.length} entries`);
  }
  if (isRunning(owner)) throw inUse(folder, `the emulator of process ${owner.pid}`);
  for (const name of found) await removeTree(join(folder, name));
}

/** Of two emulators that begin at once in one folder, one has it. Nobody ever sees a marker that is half written. */
async function takeFolder(folder: string): Promise<void> {
  const owner: ProcessIdentity = { pid: process.pid, started: startOfProcess(process.pid) };
  const draft = join(folder, `${MARKER}.${process.pid}.${randomUUID()}`);
  try {
    await writeFile(draft, JSON.stringify(owner));
    await link(draft, join(folder, MARKER));
  } catch (error) {
    if (isSystemError(error, 'EEXIST')) throw inUse(folder, 'another emulator');
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && (cause.code === 'EEXIST' || cause.code === 'ENOTDIR')))
      throw cause;
    throw new EmulatorError('EMULATOR_FOLDER', `expected a folder at ${path}, found something else`, { cause });
  }
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
    // Absolute: the enclaves, which are told of it, may have another working directory.
    const folder = new EmulatorFolder(resolve(wanted ?? (await mkdtemp(join(tmpdir(), 'nitro-')))));
    await makeFolder(folder.path);
    await expectFree(folder.path);
    await chmod(folder.path, 0o700);
    await takeFolder(folder.path);
    await mkdir(folder.sockets, { mode: 0o700 });
    return folder;
  }

  /** Removes the folder with everything in it. */
  async close(): Promise<void> {
    await removeTree(this.path);
  }

  /** The same for a process that is about to end. */
  closeSync(): void {
    try {
      rmSync(this.path, { recursive: true, force: true });
    } catch {
      // A folder of an image that may not be written to. The next emulator takes it over; the exit code stays what it is.
    }
  }
}
