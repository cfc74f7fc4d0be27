import { failBuild } from '../error.ts';
import type { ByteString } from '../tree/byte-path.ts';
import { display, splitPath } from '../tree/byte-path.ts';
import { ensureFolder, lookUp } from '../tree/lookup.ts';
import type { FolderNode } from '../tree/node.ts';
import { emptyFolder, fileOf } from '../tree/node.ts';

/** Folders that the enclave mounts over, or that programs expect. */
const EXPECTED_FOLDERS: readonly (readonly [ByteString, number])[] = [
  ['dev', 0o755],
  ['etc', 0o755],
  ['proc', 0o755],
  ['run', 0o755],
  ['sys', 0o755],
  ['tmp', 0o1777],
  ['var', 0o755],
];

const HOSTS = '127.0.0.1\tlocalhost\n::1\tlocalhost\n';

/** Marks that a container engine leaves in a root file system it has run. */
const ENGINE_FILES: readonly ByteString[] = ['.dockerenv'];

/**
 * Adds what a running enclave needs and images leave to the container engine: mount points, and a name for the loopback
 * address. The image's own files are kept.
 */
export function completeRootfs(root: FolderNode): void {
  for (const name of ENGINE_FILES) root.children.delete(name);
  for (const [name, mode] of EXPECTED_FOLDERS) {
    if (!root.children.has(name)) root.children.set(name, emptyFolder(mode));
  }
  const etc = lookUp(root, '/etc')?.node;
  if (etc?.kind !== 'folder') return;
  const hosts = etc.children.get('hosts');
  // Engines mount over /etc/hosts and leave an empty file in the layer.
  if (hosts === undefined || (hosts.kind === 'file' && hosts.size === 0))
    etc.children.set('hosts', fileOf(Buffer.from(HOSTS)));
}

/**
 * Makes the working directory where it is missing, as container engines do.
 * @throws {EifBuildError} `BUILD_WORKING_DIRECTORY` when something else is in its place.
 */
export function ensureWorkingDirectory(root: FolderNode, path: ByteString): void {
  const found = lookUp(root, path);
  if (found?.node.kind === 'folder') return;
  const made = found === undefined && ensureFolder(root, splitPath(path), emptyFolder);
  if (!made) {
    failBuild('BUILD_WORKING_DIRECTORY', 'expected a folder as working directory, found something else in its place', {
      path: display(path),
    });
  }
}
