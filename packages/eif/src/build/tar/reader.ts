import { failBuild } from '../error.ts';
import type { ByteString } from '../tree/byte-path.ts';
import { display } from '../tree/byte-path.ts';
import type { TarHeader } from './header.ts';
import { decodeTarHeader, TAR_BLOCK_BYTES } from './header.ts';
import type { PaxRecords } from './pax.ts';
import { decodePax, paxNumber } from './pax.ts';
import type { Region } from './region.ts';
import { readRegion } from './region.ts';

/** What an entry is. */
export type TarEntryKind = 'file' | 'hard-link' | 'symlink' | 'character-device' | 'block-device' | 'folder' | 'fifo';

/** One entry, all headers taken into account. */
export interface TarEntry {
  readonly kind: TarEntryKind;
  readonly name: ByteString;
  readonly linkName: ByteString;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly major: number;
  readonly minor: number;
  /** The content of a file; of no length for everything else. */
  readonly content: Region;
  /** Whether the archive gives the file extended attributes, which an enclave's ramdisk cannot hold. */
  readonly hasExtendedAttributes: boolean;
}

const KINDS: ReadonlyMap<string, TarEntryKind> = new Map([
  ['0', 'file'],
  ['1', 'hard-link'],
  ['2', 'symlink'],
  ['3', 'character-device'],
  ['4', 'block-device'],
  ['5', 'folder'],
  ['6', 'fifo'],
]);

/** Longest long name, or extended header, that is read into memory. */
const MAX_EXTENSION_BYTES = 1 << 20;
const MAX_ID = 0xffff_fffe;
const MAX_DEVICE_NUMBER = 0xfffff;

/** What the extension entries before an entry have said about it. */
interface Extensions {
  readonly pax: PaxRecords;
  longName: ByteString | undefined;
  longLink: ByteString | undefined;
}

function padded(size: number): number {
  return Math.ceil(size / TAR_BLOCK_BYTES) * TAR_BLOCK_BYTES;
}

function withoutNul(data: Buffer): ByteString {
  return data.toString('latin1').split('\0')[0] ?? '';
}

/** How an archive is read. */
export interface TarOptions {
  /** Whether the zero blocks at the end may be missing: only where a digest says that the archive is whole. */
  readonly isWhole: boolean;
}

class TarReader {
  readonly #region: Region;
  readonly #options: TarOptions;
  readonly #global: PaxRecords = new Map();
  #extensions: Extensions = { pax: new Map(), longName: undefined, longLink: undefined };
  #at = 0;

  constructor(region: Region, options: TarOptions) {
    this.#region = region;
    this.#options = options;
  }

  *entries(): Generator<TarEntry> {
    for (let header = this.#next(); header !== undefined; header = this.#next()) {
      const at = this.#at;
      if (this.#takeExtension(header)) continue;
      const entry = this.#entry(header, at);
      this.#at += padded(entry.content.size);
      this.#extensions = { pax: new Map(), longName: undefined, longLink: undefined };
      yield entry;
    }
    const { pax, longName, longLink } = this.#extensions;
    if (pax.size > 0 || longName !== undefined || longLink !== undefined) {
      failBuild('BUILD_TAR', 'expected an entry after an extended header, found the end', { offset: this.#at });
    }
  }

  /** The header at the current position, which moves behind it; `undefined` at the end. */
  #next(): TarHeader | undefined {
    const block = readRegion(this.#region, this.#at, TAR_BLOCK_BYTES);
    // Some writers end without the two zero blocks that the format asks for: right behind an entry, then.
    if (this.#at === this.#region.size && this.#options.isWhole) return undefined;
    if (block.length < TAR_BLOCK_BYTES) {
      failBuild('BUILD_TAR', `expected a block of ${TAR_BLOCK_BYTES} bytes, found the end of the archive`, {
        offset: this.#at,
      });
    }
    if (block.every((byte) => byte === 0)) return undefined;
    const header = decodeTarHeader(block, this.#at);
    this.#at += TAR_BLOCK_BYTES;
    return header;
  }

  #extensionData(size: number): Buffer {
    if (size > MAX_EXTENSION_BYTES) {
      failBuild(
        'BUILD_TAR',
        `expected a long name or pax header of at most ${MAX_EXTENSION_BYTES} bytes, found ${size}`,
        {
          offset: this.#at,
        },
      );
    }
    const data = readRegion(this.#region, this.#at, size);
    if (data.length < size) {
      failBuild('BUILD_TAR', `expected ${size} bytes of an extended header, found ${data.length}`, {
        offset: this.#at,
      });
    }
    return data;
  }

  /** Takes in an entry that is about the next one (or all that follow). */
  #takeExtension({ type, size }: TarHeader): boolean {
    if (!'LKxg'.includes(type)) return false;
    const data = this.#extensionData(size);
    if (type === 'L') this.#extensions.longName = withoutNul(data);
    if (type === 'K') this.#extensions.longLink = withoutNul(data);
    const target = type === 'x' ? this.#extensions.pax : this.#global;
    if (type === 'x' || type === 'g') for (const [key, value] of decodePax(data, this.#at)) target.set(key, value);
    this.#at += padded(size);
    return true;
  }

  #entry(header: TarHeader, offset: number): TarEntry {
    const pax: PaxRecords = new Map([...this.#global, ...this.#extensions.pax]);
    const text = (key: string): ByteString | undefined => pax.get(key) || undefined;
    const number = (key: string, otherwise: number): number => {
      const value = text(key);
      return value === undefined ? otherwise : paxNumber(value, offset);
    };
    const name = text('path') ?? this.#extensions.longName ?? header.name;
    const kind = this.#kind(header, name, [...pax.keys()], offset);
    const size = kind === 'file' ? number('size', header.size) : 0;
    const entry = {
      kind,
      name,
      linkName: text('linkpath') ?? this.#extensions.longLink ?? header.linkName,
      mode: header.mode & 0o7777,
      uid: number('uid', header.uid),
      gid: number('gid', header.gid),
      major: header.major,
      minor: header.minor,
      content: { fd: this.#region.fd, offset: this.#region.offset + offset, size },
      hasExtendedAttributes: [...pax.keys()].some((key) => /^(SCHILY|LIBARCHIVE)\.xattr\./.test(key)),
    };
    this.#checkNumbers(entry, offset);
    return entry;
  }

  #kind(header: TarHeader, name: ByteString, paxKeys: readonly string[], offset: number): TarEntryKind {
    const details = { offset: offset - TAR_BLOCK_BYTES, path: display(name) };
    if (paxKeys.some((key) => key.startsWith('GNU.sparse.'))) {
      failBuild('BUILD_TAR', 'expected no sparse files, which one writer stores in three ways', details);
    }
    const kind = KINDS.get(header.type);
    if (kind === undefined) {
      return failBuild('BUILD_TAR', `expected an entry of a known type, found ${JSON.stringify(header.type)}`, details);
    }
    return kind === 'file' && name.endsWith('/') ? 'folder' : kind;
  }

  #checkNumbers(entry: TarEntry, offset: number): void {
    const details = { offset: offset - TAR_BLOCK_BYTES, path: display(entry.name) };
    const rest = this.#region.size - offset;
    if (entry.content.size > rest) {
      failBuild('BUILD_TAR', `expected ${entry.content.size} bytes of content, found the end after ${rest}`, details);
    }
    if (entry.uid > MAX_ID || entry.gid > MAX_ID) {
      failBuild('BUILD_TAR', `expected owners up to ${MAX_ID}, found ${entry.uid} and ${entry.gid}`, details);
    }
    if (entry.major > MAX_DEVICE_NUMBER || entry.minor > MAX_DEVICE_NUMBER) {
      failBuild('BUILD_TAR', `expected device numbers up to ${MAX_DEVICE_NUMBER}`, details);
    }
  }
}

/**
 * The entries of a tar archive: v7, ustar, pax and GNU, but for sparse files and archives in several volumes.
 * @throws {EifBuildError} `BUILD_TAR`.
 */
export function tarEntries(region: Region, options: TarOptions): Generator<TarEntry> {
  return new TarReader(region, options).entries();
}
