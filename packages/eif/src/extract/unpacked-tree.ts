import { fail } from '../error.ts';

/** What a path of the tree is. */
export type TreeNode = { readonly type: 'directory' | 'other' } | { readonly type: 'symlink'; readonly target: string };

/** The kernel's own limit of links in one path. */
const MAX_LINKS = 40;

function components(path: string): string[] {
  return path.split('/').filter((component) => component !== '' && component !== '.');
}

/**
 * What has been unpacked so far, so that every path can be resolved as inside a chroot: a link to `/etc` or `../../etc`
 * leads to the tree's own `etc`, never to that of this machine.
 */
export class UnpackedTree {
  readonly #nodes = new Map<string, TreeNode>([['', { type: 'directory' }]]);
  /** How many there are in each folder. */
  readonly #children = new Map<string, number>();

  get(path: string): TreeNode | undefined {
    return this.#nodes.get(path);
  }

  set(path: string, node: TreeNode): void {
    if (!this.#nodes.has(path)) this.#count(path, 1);
    this.#nodes.set(path, node);
  }

  delete(path: string): void {
    if (this.#nodes.delete(path)) this.#count(path, -1);
  }

  /** Whether a folder has anything in it. */
  hasChildren(path: string): boolean {
    return (this.#children.get(path) ?? 0) > 0;
  }

  #count(path: string, change: 1 | -1): void {
    const folder = path.slice(0, Math.max(path.lastIndexOf('/'), 0));
    this.#children.set(folder, (this.#children.get(folder) ?? 0) + change);
  }

  /**
   * Where `path` really is, its own last component not followed. Folders on the way that nothing has made are given to
   * `makeFolder`.
   * @throws {EifError} `EIF_EXTRACT_PATH` when a component is no folder, or links lead in circles.
   */
  async resolve(path: string, makeFolder: (path: string) => Promise<void>): Promise<string> {
    const pending = components(path);
    let at: string[] = [];
    for (let links = 0; pending.length > 1; ) {
      const component = pending.shift() ?? '';
      if (component === '..') {
        at.pop();
        continue;
      }
      const here = [...at, component].join('/');
      const node = this.#nodes.get(here);
      if (node?.type === 'symlink') {
        links += 1;
        if (links > MAX_LINKS) fail('EIF_EXTRACT_PATH', `expected at most ${MAX_LINKS} links on the way to ${path}`);
        if (node.target.startsWith('/')) at = [];
        pending.unshift(...components(node.target));
        continue;
      }
      if (node?.type === 'other') fail('EIF_EXTRACT_PATH', `expected a folder at ${here}, found a file`);
      if (node === undefined) {
        await makeFolder(here);
        this.set(here, { type: 'directory' });
      }
      at.push(component);
    }
    const last = pending.shift();
    return last === undefined ? at.join('/') : [...at, last].join('/');
  }
}
