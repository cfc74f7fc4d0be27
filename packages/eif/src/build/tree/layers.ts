import { failBuild } from '../error.ts';
import type { TarEntry, TarOptions } from '../tar/reader.ts';
import { tarEntries } from '../tar/reader.ts';
import type { Region } from '../tar/region.ts';
import type { ByteString } from './byte-path.ts';
import { checkLength, display, splitPath } from './byte-path.ts';
import { lookUp } from './lookup.ts';
import type { FolderNode, TreeNode } from './node.ts';
import { emptyFolder } from './node.ts';

/** A file name that starts so takes the file of that name away from the layers below (OCI image specification, "Whiteouts"). */
const WHITEOUT = '.wh.';
/** The name that takes everything in its folder away. */
const OPAQUE_WHITEOUT = '.wh..wh..opq';
/** Other names of this kind are aufs's own. */
const AUFS_PREFIX = '.wh..wh.';

/** More than any image has; a bound for a hostile archive of empty entries. */
const MAX_ENTRIES = 4_000_000;

/** Longest target of a symbolic link that the kernel unpacks from a ramdisk: PATH_MAX without its NUL. */
const MAX_TARGET_BYTES = 4095;

/** Puts layers on top of one another, in memory: contents stay where they are. */
export class LayeredTree {
  #root: FolderNode = emptyFolder();
  #entries = 0;
  /** Paths that lost extended attributes (capabilities, mostly). */
  readonly withoutAttributes: string[] = [];

  get root(): FolderNode {
    return this.#root;
  }

  /**
   * Puts one layer on top.
   * @throws {EifBuildError} `BUILD_TAR`, `BUILD_PATH`, `BUILD_LINK`, `BUILD_NAME_TOO_LONG`, `BUILD_TOO_MANY_FILES`.
   */
  apply(layer: Region, options: TarOptions): void {
    const entries = this.#list(layer, options);
    // Whiteouts are about the layers below, wherever in this layer they stand.
    for (const { name } of entries) this.#whiteOut(splitPath(name));
    for (const entry of entries) this.#add(entry);
  }

  #list(layer: Region, options: TarOptions): TarEntry[] {
    const entries: TarEntry[] = [];
    for (const entry of tarEntries(layer, options)) {
      this.#entries += 1;
      if (this.#entries > MAX_ENTRIES) failBuild('BUILD_TOO_MANY_FILES', `expected at most ${MAX_ENTRIES} entries`);
      checkLength(entry.name);
      entries.push(entry);
    }
    return entries;
  }

  #whiteOut(names: readonly ByteString[]): void {
    const name = names.at(-1) ?? '';
    if (!name.startsWith(WHITEOUT)) return;
    const parent = lookUp(this.#root, names.slice(0, -1).join('/'))?.node;
    if (parent?.kind !== 'folder') return;
    if (name === OPAQUE_WHITEOUT) parent.children.clear();
    else if (!name.startsWith(AUFS_PREFIX)) parent.children.delete(name.slice(WHITEOUT.length));
  }

  #add(entry: TarEntry): void {
    const names = splitPath(entry.name);
    if (names.some((name) => name.startsWith(WHITEOUT))) return;
    if (entry.hasExtendedAttributes) this.withoutAttributes.push(display(entry.name));
    const name = names.at(-1);
    if (name === undefined) {
      this.#setRoot(entry);
      return;
    }
    const parent = this.#parent(names.slice(0, -1), entry.name);
    parent.children.set(name, this.#node(entry, parent.children.get(name)));
  }

  #setRoot({ kind, mode, uid, gid, name }: TarEntry): void {
    if (kind !== 'folder') failBuild('BUILD_PATH', 'expected the root to be a folder', { path: display(name) });
    this.#root = { ...this.#root, mode, uid, gid };
  }

  /** The folder that an entry goes into. Links on the way are followed inside of the root, as container engines do. */
  #parent(names: readonly ByteString[], path: ByteString): FolderNode {
    let folder = this.#root;
    for (const [index, name] of names.entries()) {
      const child = folder.children.get(name);
      const found = child?.kind === 'symlink' ? lookUp(this.#root, names.slice(0, index + 1).join('/'))?.node : child;
      if (found === undefined && child !== undefined) {
        failBuild('BUILD_PATH', 'expected folders on the way, found a link that leads nowhere', {
          path: display(path),
        });
      }
      const next = found ?? emptyFolder();
      if (next.kind !== 'folder') {
        failBuild('BUILD_PATH', 'expected folders on the way, found something else', { path: display(path) });
      }
      if (found === undefined) folder.children.set(name, next);
      folder = next;
    }
    return folder;
  }

  #node(entry: TarEntry, before: TreeNode | undefined): TreeNode {
    const { mode, uid, gid, content } = entry;
    const attributes = { mode, uid, gid };
    switch (entry.kind) {
      case 'file':
        return { kind: 'file', ...attributes, size: content.size, content: { kind: 'span', ...content } };
      case 'folder':
        return { kind: 'folder', ...attributes, children: before?.kind === 'folder' ? before.children : new Map() };
      case 'symlink':
        return { kind: 'symlink', ...attributes, mode: 0o777, target: this.#symlinkTarget(entry) };
      case 'hard-link':
        return this.#linked(entry);
      case 'character-device':
      case 'block-device':
        return { kind: entry.kind, ...attributes, major: entry.major, minor: entry.minor };
      case 'fifo':
        return { kind: 'fifo', ...attributes };
    }
  }

  /** A symbolic link may say anything: it is followed inside of the image only, by the kernel and by us. */
  #symlinkTarget({ name, linkName }: TarEntry): ByteString {
    if (linkName !== '' && !linkName.includes('\0') && linkName.length <= MAX_TARGET_BYTES) return linkName;
    return failBuild('BUILD_LINK', `expected a symbolic link with a target of 1 to ${MAX_TARGET_BYTES} bytes`, {
      path: display(name),
    });
  }

  #linked({ name, linkName }: TarEntry): TreeNode {
    const names = splitPath(linkName);
    const parent = lookUp(this.#root, names.slice(0, -1).join('/'))?.node;
    const target = parent?.kind === 'folder' ? parent.children.get(names.at(-1) ?? '') : undefined;
    if (target === undefined || target.kind === 'folder') {
      return failBuild(
        'BUILD_LINK',
        `expected a hard link to a file that is there, found one to "${display(linkName)}"`,
        {
          path: display(name),
        },
      );
    }
    return target;
  }
}
