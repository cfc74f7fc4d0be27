import type { Stats } from 'node:fs';
import { lstatSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { setImmediate as yieldToOthers } from 'node:timers/promises';
import { failBuild } from '../error.ts';
import type { FileNode, FolderNode, NodeAttributes, TreeNode } from './node.ts';
import { ROOT_OWNED } from './node.ts';

/** How {@link readRootFolder} reads. */
export interface RootFolderOptions {
  /**
   * Whether owners and permissions are taken as they are on disk. Otherwise everything is root's, and the group and all
   * others may do what the owner may, but write: whoever unpacked the folder, with whatever umask, the image is the same.
   */
  readonly preserveAttributes?: boolean;
  readonly signal?: AbortSignal;
}

const STICKY = 0o1000;

/** Permissions that do not depend on the umask under which the file was made: only the owner's and the special bits count. */
function normalisedMode(mode: number, isFolder: boolean): number {
  // A sticky folder is one where everybody may write: /tmp.
  if (isFolder && (mode & STICKY) !== 0) return 0o1777;
  const owner = (mode >> 6) & 0o7;
  const others = owner & 0o5;
  return (mode & 0o7700) | (others << 3) | others;
}

function deviceNumbers(rdev: number): { major: number; minor: number } {
  const device = BigInt(rdev);
  return {
    major: Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n)),
    minor: Number((device & 0xffn) | ((device >> 12n) & 0xffffff00n)),
  };
}

class RootFolderReader {
  readonly #options: RootFolderOptions;
  /** Files with several names, by device and inode: one node for all. */
  readonly #linked = new Map<string, FileNode>();

  constructor(options: RootFolderOptions) {
    this.#options = options;
  }

  async folder(path: Buffer, stats: Stats): Promise<FolderNode> {
    await yieldToOthers();
    this.#options.signal?.throwIfAborted();
    const children = new Map<string, TreeNode>();
    for (const name of readdirSync(path, { encoding: 'buffer' })) {
      const child = Buffer.concat([path, Buffer.from('/'), name]);
      children.set(name.toString('latin1'), await this.#node(child, lstatSync(child)));
    }
    return { kind: 'folder', ...this.#attributes(stats), children };
  }

  async #node(path: Buffer, stats: Stats): Promise<TreeNode> {
    if (stats.isFile()) return this.#file(path, stats);
    if (stats.isDirectory()) return this.folder(path, stats);
    const attributes = this.#attributes(stats);
    if (stats.isSymbolicLink()) {
      const target = readlinkSync(path, { encoding: 'buffer' }).toString('latin1');
      return { kind: 'symlink', ...attributes, mode: 0o777, target };
    }
    if (stats.isCharacterDevice()) return { kind: 'character-device', ...attributes, ...deviceNumbers(stats.rdev) };
    if (stats.isBlockDevice()) return { kind: 'block-device', ...attributes, ...deviceNumbers(stats.rdev) };
    if (stats.isFIFO()) return { kind: 'fifo', ...attributes };
    return failBuild('BUILD_FILE_TYPE', 'expected a file, folder, link, device or FIFO, found a socket', {
      path: path.toString(),
    });
  }

  #file(path: Buffer, stats: Stats): FileNode {
    const key = `${stats.dev}:${stats.ino}`;
    const known = stats.nlink > 1 ? this.#linked.get(key) : undefined;
    if (known !== undefined) return known;
    const node: FileNode = {
      kind: 'file',
      ...this.#attributes(stats),
      size: stats.size,
      content: { kind: 'file', path },
    };
    if (stats.nlink > 1) this.#linked.set(key, node);
    return node;
  }

  #attributes(stats: Stats): NodeAttributes {
    const mode = stats.mode & 0o7777;
    if (this.#options.preserveAttributes === true) return { mode, uid: stats.uid, gid: stats.gid };
    return { mode: normalisedMode(mode, stats.isDirectory()), ...ROOT_OWNED };
  }
}

/**
 * Reads a folder that holds a whole root file system. Links are not followed; contents are read only when the image is
 * written.
 * @throws {EifBuildError} `BUILD_SOURCE` when it is not a folder, `BUILD_FILE_TYPE` for a socket.
 */
export async function readRootFolder(path: string, options: RootFolderOptions = {}): Promise<FolderNode> {
  const stats = statSync(path);
  if (!stats.isDirectory()) failBuild('BUILD_SOURCE', 'expected a folder with a root file system', { path });
  return new RootFolderReader(options).folder(Buffer.from(path), stats);
}
