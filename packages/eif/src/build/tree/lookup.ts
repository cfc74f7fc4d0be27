import type { ByteString } from './byte-path.ts';
import type { FolderNode, TreeNode } from './node.ts';

/** As many as the kernel follows (MAXSYMLINKS). */
const MAX_SYMLINKS = 40;

/** Where a path leads, all links followed. */
export interface Found {
  readonly node: TreeNode;
  /** The names from the root to it, without links. */
  readonly names: readonly ByteString[];
  /** Every folder that was gone through, for the search permission. */
  readonly folders: readonly FolderNode[];
}

interface Position {
  readonly folders: FolderNode[];
  readonly names: ByteString[];
}

function up({ folders, names }: Position): void {
  // The root's parent is the root: a link cannot lead out of the image.
  if (names.length === 0) return;
  folders.pop();
  names.pop();
}

/** Follows an absolute path as the kernel would, inside of the root. `undefined` when it leads nowhere. */
export function lookUp(root: FolderNode, path: ByteString): Found | undefined {
  const pending = path.split('/').reverse();
  const position: Position = { folders: [root], names: [] };
  const crossed = new Set<FolderNode>([root]);
  let node: TreeNode = root;
  let symlinks = 0;
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (node.kind !== 'folder') return undefined;
    if (name === '' || name === '.') continue;
    if (name === '..') {
      up(position);
      node = position.folders.at(-1) ?? root;
      continue;
    }
    const child = node.children.get(name);
    if (child === undefined) return undefined;
    if (child.kind === 'symlink') {
      symlinks += 1;
      if (symlinks > MAX_SYMLINKS) return undefined;
      pending.push(...child.target.split('/').reverse());
      if (!child.target.startsWith('/')) continue;
      position.folders.splice(1);
      position.names.length = 0;
      node = root;
      continue;
    }
    position.names.push(name);
    node = child;
    if (child.kind === 'folder') {
      position.folders.push(child);
      crossed.add(child);
    }
  }
  return { node, names: position.names, folders: [...crossed] };
}

/** The folder at `names`, made (root's, 0755) where it is missing; `undefined` where something else is in the way. */
export function ensureFolder(
  root: FolderNode,
  names: readonly ByteString[],
  create: () => FolderNode,
): FolderNode | undefined {
  let folder = root;
  for (const name of names) {
    let child = folder.children.get(name);
    if (child === undefined) {
      child = create();
      folder.children.set(name, child);
    }
    if (child.kind !== 'folder') return undefined;
    folder = child;
  }
  return folder;
}
