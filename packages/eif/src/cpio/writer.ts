/** One entry of a cpio archive of the "newc" kind, as the kernel unpacks it. */
export interface CpioHeader {
  /** Path without a leading slash, one character a byte. */
  readonly name: string;
  /** File type and permission bits, as st_mode. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly inode: number;
  readonly links: number;
  /** Modification time, in seconds since 1970. */
  readonly modified: number;
  /** Length of the data, in bytes. */
  readonly size: number;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
}

/** Largest content that the format's eight hexadecimal digits can say. */
export const MAX_CPIO_FILE_BYTES = 0xffff_ffff;
/** Name of the entry that ends an archive. */
export const CPIO_TRAILER = 'TRAILER!!!';

const MAGIC = '070701';
/** The file system (major and minor number) that the inodes belong to: any, but the same for all, since hard links are told by it. */
const FILE_SYSTEM = '0000000300000001';

function hex(value: number): string {
  return value.toString(16).padStart(8, '0');
}

/** How many zero bytes follow `length` bytes, so that the next thing starts at a multiple of four. */
export function cpioPadding(length: number): number {
  return (4 - (length % 4)) % 4;
}

/** Encodes an entry's header, its name, and the padding before the data. */
export function encodeCpioHeader(entry: CpioHeader): string {
  const header = [
    MAGIC,
    hex(entry.inode),
    hex(entry.mode),
    hex(entry.uid),
    hex(entry.gid),
    hex(entry.links),
    hex(entry.modified),
    hex(entry.size),
    FILE_SYSTEM,
    hex(entry.deviceMajor),
    hex(entry.deviceMinor),
    hex(entry.name.length + 1),
    hex(0),
    entry.name,
    '\0',
  ].join('');
  return header + '\0'.repeat(cpioPadding(header.length));
}
