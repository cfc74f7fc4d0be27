import { randomUUID } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { isRunning, startOfProcess } from '../../process-identity.ts';
import { isSystemError } from '../../system-error.ts';
import { EmulatedKmsError } from '../error.ts';

/** Who uses a store: its process, and when that began, since process ids are used again. */
function describeProcess(pid: number): string {
  return `${pid} ${startOfProcess(pid) ?? 'unknown'}`;
}

function readOwner(path: string): string | null {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return null;
    throw error;
  }
}

function isAlive(owner: string): boolean {
  const pid = Number(owner.split(' ', 1)[0]);
  return Number.isSafeInteger(pid) && pid > 0 && isRunning({ pid }) && describeProcess(pid) === owner;
}

/** Of two that begin at once, one has the store. */
function linkFirst(draft: string, path: string): void {
  try {
    linkSync(draft, path);
  } catch (error) {
    if (!isSystemError(error, 'EEXIST')) throw error;
    throw new EmulatedKmsError('KMS_STORE_IN_USE', 'expected the store to be free, found somebody taking it', {
      cause: error,
    });
  } finally {
    rmSync(draft, { force: true });
  }
}

/** A store in use by one process. */
export interface StoreOwnership {
  release(): void;
}

/**
 * Takes a store for this process. Keys are held in memory and only written through, so two processes over one file would
 * each undo what the other does. Of a process that was killed, only the mark is left: it is taken over.
 * @throws {EmulatedKmsError} `KMS_STORE_IN_USE`
 */
export function takeOwnership(file: string): StoreOwnership {
  const path = `${file}.owner`;
  const previous = readOwner(path);
  if (previous !== null && isAlive(previous)) {
    throw new EmulatedKmsError(
      'KMS_STORE_IN_USE',
      `expected the store to be free, found process ${previous.split(' ', 1)[0]} using it`,
    );
  }
  const own = describeProcess(process.pid);
  const draft = `${path}.${randomUUID()}`;
  writeFileSync(draft, own, { mode: 0o600 });
  if (previous === null) linkFirst(draft, path);
  else renameSync(draft, path);
  // The lock of the WebAssembly build is a folder, which outlives a process that is killed.
  if (previous !== null) rmSync(`${file}.lock`, { recursive: true, force: true });
  return { release: () => rmSync(path, { force: true }) };
}
