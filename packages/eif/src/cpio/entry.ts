import { fail } from '../error.ts';

/** What kind of file an entry is. */
export type CpioFileType = 'file' | 'directory' | 'symlink' | 'character-device' | 'block-device' | 'fifo' | 'socket';

/** One entry of a cpio archive (newc, `070701` and `070702`), as the kernel unpacks it. */
export interface CpioEntry {
  /** Path from the archive's root, without a leading `/` or `./`; `.` for the root itself. */
  readonly path: string;
  readonly type: CpioFileType;
  /** Permission bits with setuid, setgid and sticky: `mode & 0o7777`. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since the epoch. */
  readonly mtime: number;
  /** Length of the content, in bytes. */
  readonly size: number;
  /** Where a symbolic link points. */
  readonly target?: string;
  /** Major and minor number of a device. */
  readonly device?: { readonly major: number; readonly minor: number };
  /** Names entries that are one file: entries of one archive with equal keys are hard links. */
  readonly hardLinkKey?: string;
}

/** Length of the fixed part, in bytes. */
export const CPIO_HEADER_BYTES = 110;
/** Longest name with its NUL, in bytes: the kernel's PATH_MAX. */
const MAX_NAME_BYTES = 4096;

const TYPES: ReadonlyMap<number, CpioFileType> = new Map([
  [0o010000, 'fifo'],
  [0o020000, 'character-device'],
  [0o040000, 'directory'],
  [0o060000, 'block-device'],
  [0o100000, 'file'],
  [0o120000, 'symlink'],
  [0o140000, 'socket'],
]);

/** The numbers of an entry's fixed part. */
export interface CpioHeader {
  readonly hasChecksum: boolean;
  readonly inode: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
  readonly mtime: number;
  readonly size: number;
  readonly major: number;
  readonly minor: number;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  readonly nameSize: number;
  readonly checksum: number;
}

/** Decodes the fixed part, found at `offset` of the archive. */
export function decodeCpioHeader(bytes: Uint8Array, offset: number): CpioHeader {
  const text = String.fromCharCode(...bytes);
  const magic = text.slice(0, 6);
  if (magic !== '070701' && magic !== '070702') {
    fail('CPIO_MAGIC', 'expected the cpio magic 070701 or 070702', { offset });
  }
  const fields = text.slice(6);
  // parseInt would take "12x", "+1" and " 1" for numbers, and two readers two different ones.
  if (!/^[0-9a-fA-F]{104}$/.test(fields)) {
    fail('CPIO_NUMBER', 'expected thirteen numbers of eight hexadecimal digits', { offset: offset + 6 });
  }
  const number = (index: number): number => Number.parseInt(fields.slice(index * 8, index * 8 + 8), 16);
  const nameSize = number(11);
  if (nameSize === 0) fail('CPIO_NAME', 'expected a name, found none', { offset });
  if (nameSize > MAX_NAME_BYTES) {
    fail('CPIO_NAME_TOO_LONG', `expected a name of at most ${MAX_NAME_BYTES} bytes, found ${nameSize}`, { offset });
  }
  return {
    hasChecksum: magic === '070702',
    inode: number(0),
    mode: number(1),
    uid: number(2),
    gid: number(3),
    links: number(4),
    mtime: number(5),
    size: number(6),
    major: number(7),
    minor: number(8),
    deviceMajor: number(9),
    deviceMinor: number(10),
    nameSize,
    checksum: number(12),
  };
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Text of a name or a link's target that ends in exactly one NUL (a target: in none). */
export function decodeCpioText(bytes: Uint8Array, code: 'CPIO_NAME' | 'CPIO_LINK_TARGET', offset: number): string {
  if (bytes.includes(0)) fail(code, 'expected no NUL inside a name', { offset });
  try {
    return UTF8.decode(bytes);
  } catch (cause) {
    return fail(code, 'expected a name in UTF-8', { cause, offset });
  }
}

/** The name's path from the root. `..` is refused: the kernel would follow it, and an extraction must not. */
function toPath(name: string, offset: number): string {
  const components = name.split('/').filter((component) => component !== '' && component !== '.');
  if (components.includes('..')) fail('CPIO_NAME', `expected no ".." in ${JSON.stringify(name)}`, { offset });
  return components.length === 0 ? '.' : components.join('/');
}

/** Puts an entry together. `target` is a symbolic link's. */
export function toCpioEntry(header: CpioHeader, name: string, target: string | undefined, offset: number): CpioEntry {
  const type = TYPES.get(header.mode & 0o170000);
  if (type === undefined) {
    return fail('CPIO_NUMBER', `expected a file type in the mode, found 0${header.mode.toString(8)}`, { offset });
  }
  const { mode, uid, gid, mtime, size, links, inode, major, minor } = header;
  // The kernel passes over such an entry: it would be listed, and not be there.
  if (type !== 'file' && type !== 'symlink' && size !== 0) {
    fail('CPIO_NUMBER', `expected no content in a ${type}, found ${size} bytes`, { offset });
  }
  const isDevice = type === 'character-device' || type === 'block-device';
  return {
    path: toPath(name, offset),
    type,
    mode: mode & 0o7777,
    uid,
    gid,
    mtime,
    size,
    ...(target === undefined ? {} : { target }),
    ...(isDevice ? { device: { major: header.deviceMajor, minor: header.deviceMinor } } : {}),
    ...(type === 'file' && links > 1 ? { hardLinkKey: `${major}:${minor}:${inode}` } : {}),
  };
}
