import { fail } from '../error.ts';
import { ByteReader } from '../read/byte-reader.ts';
import type { Gunzip } from './decompress.ts';
import { compressionOf, decompressCpio } from './decompress.ts';
import type { CpioEntry, CpioHeader } from './entry.ts';
import { CPIO_HEADER_BYTES, decodeCpioHeader, decodeCpioText, toCpioEntry } from './entry.ts';

/** Bounds of one archive's reading, and how it is decompressed. */
export interface CpioOptions {
  /** Most entries. Default 2 000 000. */
  readonly maxEntries?: number;
  /** Most bytes once decompressed: a few kilobytes can hold gigabytes of zeros. Default 16 GiB. */
  readonly maxBytes?: number;
  /** Default: by the Compression Streams standard. */
  readonly gunzip?: Gunzip | undefined;
  /** Stops the reading, also of what one piece of compressed data has become: that may be gigabytes. */
  readonly signal?: AbortSignal | undefined;
}

/** Sees each entry in the archive's order. Whatever it leaves of `content` is passed over. A piece holds until the next. */
export type CpioVisitor = (entry: CpioEntry, content: AsyncIterable<Uint8Array>) => Promise<void> | void;

const TRAILER = 'TRAILER!!!';
/** Longest target of a symbolic link, in bytes: the kernel's PATH_MAX without the NUL. */
const MAX_TARGET_BYTES = 4095;
const ASCII_ZERO = 0x30;

/** Counts of padding bytes up to the next multiple of four. */
function paddingAfter(length: number): number {
  return (4 - (length % 4)) % 4;
}

class CpioReader {
  readonly #reader: ByteReader;
  readonly #visit: CpioVisitor;
  readonly #maxBytes: number;
  readonly #options: CpioOptions;
  #entriesLeft: number;

  constructor(pieces: AsyncIterable<Uint8Array>, visit: CpioVisitor, options: CpioOptions) {
    const { maxEntries = 2_000_000, maxBytes = 16 * 1024 ** 3 } = options;
    this.#reader = new ByteReader(pieces);
    this.#visit = visit;
    this.#entriesLeft = maxEntries;
    this.#maxBytes = maxBytes;
    this.#options = options;
  }

  /** Archives one after the other, zeros between them, as the kernel takes them; a compressed one ends the ramdisk. */
  async readAll(mayDecompress: boolean): Promise<void> {
    while (await this.#reader.skipZeros()) {
      const start = await this.#reader.peekBytes(2);
      if (start[0] === ASCII_ZERO) {
        this.#expectAlignment();
        await this.#readArchive();
        continue;
      }
      const compression = mayDecompress ? compressionOf(start) : undefined;
      if (compression === undefined) this.#failNoArchive();
      const unpacked = decompressCpio(this.#reader.rest(), compression, this.#options.gunzip);
      const inner = new CpioReader(unpacked, this.#visit, this.#options);
      await inner.readAll(false);
    }
  }

  /** The kernel takes an archive for one only there, and unpacks nothing of any other. */
  #expectAlignment(): void {
    const { offset } = this.#reader;
    if (offset % 4 !== 0)
      fail('CPIO_PADDING', `expected an archive at a multiple of four, found one at ${offset}`, { offset });
  }

  #failNoArchive(): never {
    const { offset } = this.#reader;
    if (offset === 0) fail('CPIO_MAGIC', 'expected a cpio archive, plain or compressed', { offset });
    fail('CPIO_TRAILING_BYTES', 'expected zeros or another archive behind the trailer', { offset });
  }

  async #readArchive(): Promise<void> {
    while (await this.#readEntry());
  }

  /** Reads one entry; false for the trailer. */
  async #readEntry(): Promise<boolean> {
    const { offset } = this.#reader;
    const fixed = await this.#reader.read(CPIO_HEADER_BYTES);
    if (fixed.length === 0) fail('CPIO_TRAILER_MISSING', 'expected another entry or the trailer', { offset });
    if (fixed.length < CPIO_HEADER_BYTES) this.#failTruncated(offset);
    const header = decodeCpioHeader(fixed, offset);
    const name = await this.#readName(header, offset);
    if (name === TRAILER) {
      if (header.size !== 0) fail('CPIO_NUMBER', 'expected no content in the trailer', { offset });
      return false;
    }
    this.#entriesLeft -= 1;
    if (this.#entriesLeft < 0) fail('CPIO_TOO_MANY_ENTRIES', 'found more entries than the limit allows', { offset });
    if (this.#reader.offset + header.size > this.#maxBytes) {
      fail('CPIO_TOO_LARGE', `expected at most ${this.#maxBytes} bytes of archive`, { offset });
    }
    await this.#readContent(header, name, offset);
    return true;
  }

  async #readName({ nameSize }: CpioHeader, offset: number): Promise<string> {
    const bytes = await this.#reader.read(nameSize);
    if (bytes.length < nameSize) this.#failTruncated(offset);
    if (bytes.at(-1) !== 0) fail('CPIO_NAME', 'expected a name that ends in NUL', { offset });
    await this.#readPadding(paddingAfter(CPIO_HEADER_BYTES + nameSize));
    return decodeCpioText(bytes.subarray(0, -1), 'CPIO_NAME', offset);
  }

  async #readPadding(length: number): Promise<void> {
    const { offset } = this.#reader;
    const bytes = await this.#reader.read(length);
    if (bytes.length < length) this.#failTruncated(offset);
    if (bytes.some((byte) => byte !== 0)) fail('CPIO_PADDING', 'expected zeros as padding', { offset });
  }

  async #readContent(header: CpioHeader, name: string, offset: number): Promise<void> {
    const isLink = (header.mode & 0o170000) === 0o120000;
    const target = isLink ? await this.#readTarget(header, offset) : undefined;
    const entry = toCpioEntry(header, name, target, offset);
    const progress = { left: isLink ? 0 : header.size, sum: 0 };
    await this.#visit(entry, this.#content(header, progress, offset));
    for await (const _ of this.#content(header, progress, offset));
    if (header.hasChecksum && !isLink && progress.sum !== header.checksum) {
      fail('CPIO_CHECKSUM', `expected the checksum ${header.checksum}, found ${progress.sum}`, { offset });
    }
    await this.#readPadding(paddingAfter(header.size));
  }

  async #readTarget({ size }: CpioHeader, offset: number): Promise<string> {
    if (size === 0 || size > MAX_TARGET_BYTES) {
      fail('CPIO_LINK_TARGET', `expected a link's target of 1 to ${MAX_TARGET_BYTES} bytes, found ${size}`, { offset });
    }
    const bytes = await this.#reader.read(size);
    if (bytes.length < size) this.#failTruncated(offset);
    return decodeCpioText(bytes, 'CPIO_LINK_TARGET', offset);
  }

  /** The content that is left; with a checksum, its bytes are summed up. */
  async *#content(
    { hasChecksum }: CpioHeader,
    progress: { left: number; sum: number },
    offset: number,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    while (progress.left > 0) {
      const piece = await this.#reader.next(progress.left);
      if (piece.length === 0) this.#failTruncated(offset);
      this.#options.signal?.throwIfAborted();
      progress.left -= piece.length;
      if (hasChecksum) progress.sum = piece.reduce((sum, byte) => (sum + byte) >>> 0, progress.sum);
      yield piece;
    }
  }

  #failTruncated(offset: number): never {
    fail('CPIO_TRUNCATED', 'expected the rest of an entry, found the end of the archive', { offset });
  }
}

/** Whether a ramdisk that begins with `start` can be one for {@link readCpio}; nothing at all and zeros can. */
export function looksLikeArchive(start: Uint8Array): boolean {
  const first = start[0];
  return first === undefined || first === 0 || first === ASCII_ZERO || compressionOf(start) !== undefined;
}

/**
 * Reads the archives of one ramdisk: cpio in the newc form, one or more, plain or compressed with gzip, as the kernel
 * unpacks them. `offset` of an error counts from the start of the (decompressed) archive.
 * @throws {EifError} a `CPIO_…` code.
 */
export async function readCpio(
  pieces: AsyncIterable<Uint8Array>,
  visit: CpioVisitor,
  options: CpioOptions = {},
): Promise<void> {
  await new CpioReader(pieces, visit, options).readAll(true);
}
