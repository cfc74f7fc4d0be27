import type { EifArchitecture } from '../../format/header.ts';
import type { EifBuildErrorCode } from '../error.ts';
import { failBuild } from '../error.ts';
import type { ByteString } from '../tree/byte-path.ts';
import { display } from '../tree/byte-path.ts';
import { readContent } from '../tree/content.ts';
import type { Found } from '../tree/lookup.ts';
import { lookUp } from '../tree/lookup.ts';
import type { FileNode, FolderNode, TreeNode } from '../tree/node.ts';
import { EXECUTABLE_HEAD_BYTES, executableFormat } from './executable.ts';
import type { UserIds } from './user.ts';

/** Where and as whom a program will be started. */
export interface StartingPoint {
  readonly root: FolderNode;
  readonly architecture: EifArchitecture;
  readonly user: UserIds;
  /** Absolute, one character a byte. */
  readonly workingDirectory: ByteString;
  /** Folders that a name without a slash is looked for in, separated by colons. */
  readonly searchPath: ByteString;
  /** Folders of the image that are covered by file systems of the running enclave. */
  readonly mounted: readonly string[];
}

/** The kernel follows so many interpreters of interpreters (BINPRM_MAX_RECURSION). */
const MAX_INTERPRETERS = 4;

function mayExecute(node: TreeNode, { uid, gid, groups }: UserIds): boolean {
  // Root needs one of the three bits for a file, and none for a folder.
  if (uid === 0) return node.kind === 'folder' || (node.mode & 0o111) !== 0;
  if (node.uid === uid) return (node.mode & 0o100) !== 0;
  const inGroup = node.gid === gid || groups.includes(node.gid);
  return (node.mode & (inGroup ? 0o010 : 0o001)) !== 0;
}

function isReachable({ node, folders }: Found, user: UserIds): boolean {
  return node.kind === 'file' && mayExecute(node, user) && folders.every((folder) => mayExecute(folder, user));
}

/** A path below a folder that may end with slashes: `/` does. */
function below(folder: ByteString, path: ByteString): ByteString {
  return `${folder.replace(/\/+$/, '')}/${path}`;
}

function absolute(path: ByteString, { workingDirectory }: StartingPoint): ByteString {
  return path.startsWith('/') ? path : below(workingDirectory, path);
}

/** Where a program may be: one place for a name with a slash, else one in each folder of PATH. */
function candidates(name: ByteString, start: StartingPoint): ByteString[] {
  if (name.includes('/')) return [absolute(name, start)];
  return start.searchPath.split(':').map((folder) => absolute(below(folder === '' ? '.' : folder, name), start));
}

interface Refusals {
  readonly missing: EifBuildErrorCode;
  readonly notExecutable: EifBuildErrorCode;
}

const ENTRY_POINT: Refusals = { missing: 'BUILD_ENTRYPOINT_MISSING', notExecutable: 'BUILD_ENTRYPOINT_NOT_EXECUTABLE' };
const INTERPRETER: Refusals = {
  missing: 'BUILD_INTERPRETER_MISSING',
  notExecutable: 'BUILD_INTERPRETER_NOT_EXECUTABLE',
};

function choose(name: ByteString, start: StartingPoint, refusals: Refusals): { path: ByteString; found: Found } {
  const places = candidates(name, start)
    .map((path) => ({ path, found: lookUp(start.root, path) }))
    .filter((place): place is { path: ByteString; found: Found } => place.found !== undefined);
  const place = places.find(({ found }) => isReachable(found, start.user));
  if (place !== undefined) return place;
  const [refused] = places;
  if (refused === undefined) {
    return failBuild(refusals.missing, `expected "${display(name)}" in the image: it is not there`, {
      path: display(name),
    });
  }
  return failBuild(
    refusals.notExecutable,
    `expected "${display(refused.path)}" to be a file that user ${start.user.uid} may execute`,
    { path: display(refused.path) },
  );
}

function checkNotHidden(path: ByteString, names: readonly ByteString[], { mounted }: StartingPoint): void {
  const folder = mounted.find((one) => `/${names.join('/')}/`.startsWith(`${one}/`));
  if (folder === undefined) return;
  failBuild('BUILD_ENTRYPOINT_HIDDEN', `expected a program outside of ${folder}, which the enclave mounts over`, {
    path: display(path),
  });
}

/** The interpreter that the program needs, if any, once it is known to be one that this CPU runs. */
function interpreterOf(path: ByteString, file: FileNode, start: StartingPoint): ByteString | undefined {
  const format = executableFormat(readContent(file.content, file.size, EXECUTABLE_HEAD_BYTES));
  if (format.kind === 'unknown') {
    failBuild('BUILD_ENTRYPOINT_FORMAT', 'expected an ELF program or a script that begins with "#!"', {
      path: display(path),
    });
  }
  if (format.kind === 'elf' && format.architecture !== start.architecture) {
    failBuild(
      'BUILD_ENTRYPOINT_ARCHITECTURE',
      `expected a program for ${start.architecture}, found ${format.architecture ?? 'one for another CPU'}`,
      { path: display(path) },
    );
  }
  if (format.interpreter === undefined) return undefined;
  if (format.interpreter !== '') return format.interpreter;
  return failBuild('BUILD_ENTRYPOINT_FORMAT', 'expected an interpreter after "#!"', { path: display(path) });
}

/**
 * Finds the program as the enclave's kernel will, through links, PATH and interpreters, and returns the absolute path to
 * start it by.
 * @throws {EifBuildError} `BUILD_ENTRYPOINT_MISSING`, `BUILD_ENTRYPOINT_NOT_EXECUTABLE`, `BUILD_ENTRYPOINT_HIDDEN`,
 * `BUILD_ENTRYPOINT_FORMAT`, `BUILD_ENTRYPOINT_ARCHITECTURE`, `BUILD_INTERPRETER_MISSING` or
 * `BUILD_INTERPRETER_NOT_EXECUTABLE`.
 */
export function findEntryPoint(name: ByteString, start: StartingPoint): ByteString {
  const entry = choose(name, start, ENTRY_POINT);
  let { path, found } = entry;
  for (let depth = 0; depth <= MAX_INTERPRETERS; depth += 1) {
    checkNotHidden(path, found.names, start);
    if (found.node.kind !== 'file') break;
    const interpreter = interpreterOf(path, found.node, start);
    if (interpreter === undefined) return entry.path;
    ({ path, found } = choose(absolute(interpreter, start), start, INTERPRETER));
  }
  return failBuild('BUILD_ENTRYPOINT_FORMAT', `expected at most ${MAX_INTERPRETERS} interpreters, one of the other`, {
    path: display(entry.path),
  });
}
