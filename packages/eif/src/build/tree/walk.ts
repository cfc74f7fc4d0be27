import type { ByteString } from './byte-path.ts';
import type { FolderNode, TreeNode } from './node.ts';

interface Level {
  readonly folder: FolderNode;
  readonly prefix: ByteString;
  readonly names: readonly ByteString[];
  next: number;
}

function levelOf(folder: FolderNode, prefix: ByteString): Level {
  return { folder, prefix, names: [...folder.children.keys()].sort(), next: 0 };
}

/**
 * Everything below `root` with its path: folders before what is in them, names in the order of their bytes. Without
 * recursion, since an archive may nest folders as deep as it likes.
 */
export function* entriesOf(root: FolderNode): Generator<readonly [path: ByteString, node: TreeNode]> {
  const levels: Level[] = [levelOf(root, '')];
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    const name = level.names[level.next];
    level.next += 1;
    if (name === undefined) {
      levels.pop();
      continue;
    }
    const node = level.folder.children.get(name);
    if (node === undefined) continue;
    const path = level.prefix + name;
    yield [path, node];
    if (node.kind === 'folder') levels.push(levelOf(node, `${path}/`));
  }
}
