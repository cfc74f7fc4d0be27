import { chmod, link, lutimes, mkdir, open, rmdir, symlink, unlink, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { CpioEntry } from '../cpio/entry.ts';
import { readCpio } from '../cpio/reader.ts';
import { fail } from '../error.ts';
import { UnpackedTree } from '../extract/unpacked-tree.ts';
import { gunzip } from './gunzip.ts';

/** A file that was left out of an extraction. */
export interface SkippedEntry {
  readonly path: string;
  /** Why: devices, pipes and sockets are made by nothing but the kernel that boots the image. */
  readonly reason: 'special-file';
}

/** setuid and setgid are left out: an extraction by root must not put another's privileged programs on this machine. */
const KEPT_MODE = 0o1777;

/** Unpacks ramdisks into `folder`, one over the other, as the kernel does, and never outside of it. */
export class Unpacker {
  readonly #folder: string;
  readonly #tree = new UnpackedTree();
  readonly #folders = new Map<string, CpioEntry>();
  readonly #hardLinks = new Map<string, string>();
  readonly skipped: SkippedEntry[] = [];

  constructor(folder: string) {
    this.#folder = folder;
  }

  async unpack(ramdisk: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<void> {
    this.#hardLinks.clear();
    await readCpio(ramdisk, (entry, content) => this.#write(entry, content), { gunzip, signal });
  }

  /** Sets the folders' modes and times, which only stay once nothing more is written into them. */
  async finish(): Promise<void> {
    const deepestFirst = [...this.#folders].sort(([left], [right]) => right.length - left.length);
    for (const [path, { mode, mtime }] of deepestFirst) {
      await utimes(this.#at(path), mtime, mtime);
      await chmod(this.#at(path), mode & KEPT_MODE);
    }
  }

  #at(path: string): string {
    return join(this.#folder, path);
  }

  async #write(entry: CpioEntry, content: AsyncIterable<Uint8Array>): Promise<void> {
    const path = await this.#tree.resolve(entry.path, async (folder) => {
      await mkdir(this.#at(folder), 0o755);
    });
    if (entry.type === 'directory') return this.#writeFolder(path, entry);
    if (entry.type === 'symlink') return this.#writeSymlink(path, entry);
    if (entry.type === 'file') return this.#writeFile(path, entry, content);
    this.skipped.push({ path: entry.path, reason: 'special-file' });
  }

  async #writeFolder(path: string, entry: CpioEntry): Promise<void> {
    if (this.#tree.get(path)?.type !== 'directory') {
      await this.#clear(path);
      await mkdir(this.#at(path), 0o700);
      this.#tree.set(path, { type: 'directory' });
    }
    this.#folders.set(path, entry);
  }

  async #writeSymlink(path: string, { target = '', mtime }: CpioEntry): Promise<void> {
    await this.#clear(path);
    await symlink(target, this.#at(path));
    await lutimes(this.#at(path), mtime, mtime);
    this.#tree.set(path, { type: 'symlink', target });
  }

  async #writeFile(path: string, entry: CpioEntry, content: AsyncIterable<Uint8Array>): Promise<void> {
    await this.#clear(path);
    const first = entry.hardLinkKey === undefined ? undefined : this.#hardLinks.get(entry.hardLinkKey);
    if (first !== undefined && this.#tree.get(first)?.type === 'other' && first !== path) {
      await link(this.#at(first), this.#at(path));
    }
    this.#tree.set(path, { type: 'other' });
    if (entry.hardLinkKey !== undefined) this.#hardLinks.set(entry.hardLinkKey, first ?? path);
    // Of hard links only one carries the content.
    if (first !== undefined && entry.size === 0) return;
    const file = await open(this.#at(path), 'w', 0o600);
    try {
      for await (const piece of content) await file.writeFile(piece);
      await file.chmod(entry.mode & KEPT_MODE);
      await file.utimes(entry.mtime, entry.mtime);
    } finally {
      await file.close();
    }
  }

  /** Makes room for another file of the same name: the last one counts, as in the kernel. */
  async #clear(path: string): Promise<void> {
    const node = this.#tree.get(path);
    if (node === undefined) return;
    if (path === '' || (node.type === 'directory' && this.#tree.hasChildren(path))) {
      fail('EIF_EXTRACT_PATH', `expected nothing or an empty folder at ${path}, found a full one`);
    }
    if (node.type === 'directory') await rmdir(this.#at(path));
    else await unlink(this.#at(path));
    this.#folders.delete(path);
    this.#tree.delete(path);
  }
}
