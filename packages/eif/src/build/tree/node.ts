import type { ByteString } from './byte-path.ts';
import type { FileContent } from './content.ts';

/** What every file of the image has. */
export interface NodeAttributes {
  /** Permission bits: 0 to 0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

export interface FileNode extends NodeAttributes {
  readonly kind: 'file';
  /** Length of the content, in bytes. */
  readonly size: number;
  readonly content: FileContent;
}

export interface FolderNode extends NodeAttributes {
  readonly kind: 'folder';
  readonly children: Map<ByteString, TreeNode>;
}

export interface SymlinkNode extends NodeAttributes {
  readonly kind: 'symlink';
  readonly target: ByteString;
}

export interface DeviceNode extends NodeAttributes {
  readonly kind: 'character-device' | 'block-device';
  readonly major: number;
  readonly minor: number;
}

export interface FifoNode extends NodeAttributes {
  readonly kind: 'fifo';
}

/** One file of the image. Hard links are one node under several names. */
export type TreeNode = FileNode | FolderNode | SymlinkNode | DeviceNode | FifoNode;

export const ROOT_OWNED: Pick<NodeAttributes, 'uid' | 'gid'> = { uid: 0, gid: 0 };

/** A folder of root's with nothing in it. */
export function emptyFolder(mode = 0o755): FolderNode {
  return { kind: 'folder', mode, ...ROOT_OWNED, children: new Map() };
}

/** A file of root's with this content. */
export function fileOf(bytes: Uint8Array, mode = 0o644): FileNode {
  return { kind: 'file', mode, ...ROOT_OWNED, size: bytes.length, content: { kind: 'bytes', bytes } };
}
