import type { CpioHeader } from '../../cpio/writer.ts';
import { CPIO_TRAILER, cpioPadding, encodeCpioHeader, MAX_CPIO_FILE_BYTES } from '../../cpio/writer.ts';
import { createPiecePool } from '../../node/piece-pool.ts';
import { failBuild } from '../error.ts';
import type { ByteString } from '../tree/byte-path.ts';
import { checkLength, display } from '../tree/byte-path.ts';
import { openContent } from '../tree/content.ts';
import type { FileNode, FolderNode, TreeNode } from '../tree/node.ts';
import { entriesOf } from '../tree/walk.ts';

/**
 * The time that every file of a ramdisk carries, in seconds: 2017-04-18T16:30:00Z, the one that linuxkit, under
 * nitro-cli, gives to the files it makes itself. Fixed, so that the same files make the same PCRs whenever they were made.
 */
export const FIXED_TIME = 1_492_533_000;

const FIRST_INODE = 721;
/** The archive is padded to this many bytes, as cpio and linuxkit do. */
const ARCHIVE_ALIGNMENT = 512;

const FILE_TYPE: Readonly<Record<TreeNode['kind'], number>> = {
  file: 0o100000,
  folder: 0o040000,
  symlink: 0o120000,
  'character-device': 0o020000,
  'block-device': 0o060000,
  fifo: 0o010000,
};

/** How often each file with more than one name appears. */
function countLinks(root: FolderNode): Map<TreeNode, number> {
  const counts = new Map<TreeNode, number>();
  for (const [, node] of entriesOf(root)) counts.set(node, (counts.get(node) ?? 0) + 1);
  return counts;
}

class Inodes {
  readonly #links: Map<TreeNode, number>;
  readonly #numbers = new Map<TreeNode, number>();
  #next = FIRST_INODE;

  constructor(root: FolderNode) {
    this.#links = countLinks(root);
  }

  /** The node's number, its count of names, and whether this is the first of them, which carries the content. */
  of(node: TreeNode): { inode: number; links: number; first: boolean } {
    const links = node.kind === 'folder' ? 2 : (this.#links.get(node) ?? 1);
    const known = this.#numbers.get(node);
    if (known !== undefined) return { inode: known, links, first: false };
    const inode = this.#next;
    this.#next += 1;
    this.#numbers.set(node, inode);
    return { inode, links, first: true };
  }
}

function headerOf(name: ByteString, node: TreeNode, inodes: Inodes): CpioHeader {
  const { inode, links, first } = inodes.of(node);
  const common = {
    name,
    mode: FILE_TYPE[node.kind] | node.mode,
    uid: node.uid,
    gid: node.gid,
    inode,
    links,
    modified: FIXED_TIME,
  };
  switch (node.kind) {
    case 'file':
      return { ...common, size: first ? node.size : 0, deviceMajor: 0, deviceMinor: 0 };
    case 'symlink':
      return { ...common, size: node.target.length, deviceMajor: 0, deviceMinor: 0 };
    case 'character-device':
    case 'block-device':
      return { ...common, size: 0, deviceMajor: node.major, deviceMinor: node.minor };
    case 'folder':
    case 'fifo':
      return { ...common, size: 0, deviceMajor: 0, deviceMinor: 0 };
  }
}

/** Gathers what is appended into blocks, so that small files do not become small writes. */
class BlockBuffer {
  readonly #pool = createPiecePool();
  #block = this.#nextBlock();
  #used = 0;
  #total = 0;

  get total(): number {
    return this.#total;
  }

  *text(text: ByteString): Generator<Uint8Array> {
    for (let at = 0; at < text.length; ) {
      const rest = at === 0 ? text : text.slice(at);
      const count = this.#block.write(rest, this.#used, 'latin1');
      at += count;
      yield* this.#advance(count);
    }
  }

  *file(node: FileNode, path: ByteString): Generator<Uint8Array> {
    const reader = openContent(node.content, node.size);
    try {
      for (let rest = node.size; rest > 0; ) {
        const count = reader.read(this.#block.subarray(this.#used, this.#used + rest));
        if (count === 0) {
          failBuild('BUILD_SOURCE_CHANGED', `expected ${node.size} bytes, found ${node.size - rest}`, {
            path: display(path),
          });
        }
        rest -= count;
        yield* this.#advance(count);
      }
    } finally {
      reader.close();
    }
  }

  *flush(): Generator<Uint8Array> {
    if (this.#used > 0) yield this.#block.subarray(0, this.#used);
  }

  /** Shared memory: the thread that hashes reads it where it is. */
  #nextBlock(): Buffer {
    return Buffer.from(this.#pool.next().buffer);
  }

  *#advance(count: number): Generator<Uint8Array> {
    this.#used += count;
    this.#total += count;
    if (this.#used < this.#block.length) return;
    yield this.#block;
    this.#block = this.#nextBlock();
    this.#used = 0;
  }
}

function checkSize(path: ByteString, node: TreeNode): void {
  if (node.kind !== 'file' || node.size <= MAX_CPIO_FILE_BYTES) return;
  failBuild('BUILD_FILE_TOO_LARGE', `expected files of at most ${MAX_CPIO_FILE_BYTES} bytes, found ${node.size}`, {
    path: display(path),
  });
}

function zeros(count: number): ByteString {
  return '\0'.repeat(count);
}

/**
 * Everything in `root` as a cpio archive, in blocks; a block holds until a few more have been taken. The same tree is
 * always the same archive.
 * @throws {EifBuildError} `BUILD_NAME_TOO_LONG`, `BUILD_FILE_TOO_LARGE` or `BUILD_SOURCE_CHANGED`.
 */
export function* archiveOf(root: FolderNode): Generator<Uint8Array> {
  const inodes = new Inodes(root);
  const blocks = new BlockBuffer();
  let padding = '';
  for (const [path, node] of entriesOf(root)) {
    checkLength(path);
    checkSize(path, node);
    const header = headerOf(path, node, inodes);
    yield* blocks.text(padding + encodeCpioHeader(header) + (node.kind === 'symlink' ? node.target : ''));
    if (node.kind === 'file' && header.size > 0) yield* blocks.file(node, path);
    padding = zeros(cpioPadding(header.size));
  }
  const trailer = { mode: 0, uid: 0, gid: 0, inode: 0, links: 1, modified: 0, size: 0, deviceMajor: 0, deviceMinor: 0 };
  yield* blocks.text(padding + encodeCpioHeader({ name: CPIO_TRAILER, ...trailer }));
  yield* blocks.text(zeros((ARCHIVE_ALIGNMENT - (blocks.total % ARCHIVE_ALIGNMENT)) % ARCHIVE_ALIGNMENT));
  yield* blocks.flush();
}
