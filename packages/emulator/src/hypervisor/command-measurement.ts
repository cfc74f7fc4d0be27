import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, constants, lstat, readdir, readlink, stat } from 'node:fs/promises';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { encodeCbor, encodeHex } from '@nitro-enclaves/core';
import { EmulatorError } from '../error.ts';
import type { ImageMeasurements } from '../nsm/enclave-identity.ts';
import { measureDigest } from '../nsm/pcr-bank.ts';

/** What is measured of a command. */
export interface MeasuredCommand {
  /** Absolute path of the file that the command's first word names. */
  readonly executable: string;
  readonly command: readonly string[];
  readonly environment: readonly string[];
  /** Absolute. */
  readonly workingDirectory: string;
  /** Further files and folders, absolute or relative to the working directory. */
  readonly files: readonly string[];
}

/** Stands where an image has its kernel and first ramdisk: PCR1 is that of every command. */
const BOOT = new TextEncoder().encode('nitro-enclaves emulator: no kernel, no init');

function sha384(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash('sha384');
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}

async function digestFile(path: string): Promise<Uint8Array> {
  const hash = createHash('sha384');
  await pipeline(createReadStream(path), hash);
  return new Uint8Array(hash.digest());
}

async function kindOf(path: string): Promise<'file' | 'folder' | undefined> {
  try {
    const found = await stat(path);
    if (found.isFile()) return 'file';
    return found.isDirectory() ? 'folder' : undefined;
  } catch {
    return undefined;
  }
}

async function isExecutable(path: string): Promise<boolean> {
  if ((await kindOf(path)) !== 'file') return false;
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/**
 * The path of an executable, looked for as a shell does.
 * @throws {EmulatorError} `EMULATOR_COMMAND` when there is none.
 */
export async function findExecutable(
  name: string,
  { searchPath, workingDirectory }: { searchPath: string; workingDirectory: string },
): Promise<string> {
  const candidates = name.includes('/')
    ? [resolve(workingDirectory, name)]
    : searchPath.split(delimiter).map((folder) => resolve(workingDirectory, folder, name));
  for (const candidate of candidates) if (await isExecutable(candidate)) return candidate;
  throw new EmulatorError('EMULATOR_COMMAND', `expected an executable named ${JSON.stringify(name)}, found none`);
}

type Measured = [name: string, digest: Uint8Array];

/** A link inside of a measured folder is its target's name, not what is there: links may go round in circles. */
async function digestEntry(path: string, name: string): Promise<Measured[]> {
  const found = await lstat(path);
  if (!found.isSymbolicLink()) return digestTree(path, name);
  return [[`${name} ->`, sha384(new TextEncoder().encode(await readlink(path)))]];
}

/** Every file below `path`, as its name and its digest, in the order of the names; one at a time, for few descriptors. */
async function digestTree(path: string, name: string): Promise<Measured[]> {
  const kind = await kindOf(path);
  if (kind === 'file') return [[name, await digestFile(path)]];
  if (kind !== 'folder') throw new EmulatorError('EMULATOR_COMMAND', `expected a file or folder to measure at ${name}`);
  const measured: Measured[] = [];
  for (const entry of (await readdir(path)).sort()) {
    measured.push(...(await digestEntry(join(path, entry), `${name}/${entry}`)));
  }
  return measured;
}

/** Arguments that are files, such as the script of an interpreter. */
async function fileArguments({ command, workingDirectory }: MeasuredCommand): Promise<string[]> {
  const [, ...given] = command;
  const kinds = await Promise.all(given.map((argument) => kindOf(resolve(workingDirectory, argument))));
  return given.filter((_, index) => kinds[index] === 'file');
}

/** How a file is called in the measurement: absolute names differ from machine to machine. */
function measuredName(path: string, workingDirectory: string): string {
  return isAbsolute(path) && path.startsWith(`${workingDirectory}/`) ? path.slice(workingDirectory.length + 1) : path;
}

/**
 * PCRs of a command, in the way of an image's: PCR2 (and so PCR0) changes with the executable, the arguments, the
 * environment, every argument that is a file, and the `files`. What a program loads beyond that is not measured: name it in
 * `files`, or build an image.
 * @throws {EmulatorError} `EMULATOR_COMMAND` when one of `files` is not there.
 */
export async function measureCommand(measured: MeasuredCommand): Promise<ImageMeasurements> {
  const { command, executable, environment, workingDirectory, files } = measured;
  const named = [...(await fileArguments(measured)), ...files];
  const measuredFiles: Measured[] = [];
  for (const name of named) {
    measuredFiles.push(...(await digestTree(resolve(workingDirectory, name), measuredName(name, workingDirectory))));
  }
  const application = encodeCbor([
    [...command],
    [...environment],
    await digestFile(executable),
    measuredFiles.map(([name, digest]) => [name, digest]),
  ]);
  return {
    PCR0: encodeHex(measureDigest(sha384(BOOT, application))),
    PCR1: encodeHex(measureDigest(sha384(BOOT))),
    PCR2: encodeHex(measureDigest(sha384(application))),
  };
}
