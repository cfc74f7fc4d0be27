import type { ImagePcrs } from '../digests.ts';
import { ImageDigests } from '../digests.ts';
import { fail } from '../error.ts';
import type { EifHeader } from '../format/header.ts';
import { CRC_OFFSET, declaredLength, decodeHeader, HEADER_BYTES } from '../format/header.ts';
import type { EifSectionType } from '../format/section.ts';
import { decodeSectionHeader, SECTION_HEADER_BYTES } from '../format/section.ts';
import type { ParallelSha384, Platform } from '../platform.ts';
import type { OpenSource } from '../source.ts';
import { ByteReader } from './byte-reader.ts';
import { RunningCrc } from './running-crc.ts';
import { MAX_SECTION_BYTES, SectionRules } from './section-rules.ts';

/** Where a section stands in the image. */
export interface EifSection {
  readonly type: EifSectionType;
  /** Position among all sections, from 0. */
  readonly index: number;
  /** Offset of the section's header, in bytes from the start of the image. */
  readonly offset: number;
  /** Length of the data, in bytes. They begin 12 bytes after `offset`. */
  readonly size: number;
}

/** Options of everything that reads a whole image. */
export interface ReadEifOptions {
  /** Stops the reading. */
  readonly signal?: AbortSignal;
  /** Called after every piece with the count of bytes read so far and, where it is known, of all. */
  readonly onProgress?: (progress: ReadProgress) => void;
}

/** How far a reading has come, in bytes. */
export interface ReadProgress {
  readonly done: number;
  readonly total?: number;
}

/** Looks into a section while it goes by. Whatever it leaves of `data` is read on. A piece holds until the next one. */
export type SectionVisitor = (section: EifSection, data: AsyncIterable<Uint8Array>) => Promise<void>;

/** What one pass over an image finds. */
export interface WalkedEif {
  readonly byteLength: number;
  readonly header: EifHeader;
  readonly sections: readonly EifSection[];
  /** Data of the cmdline, metadata and signature sections. */
  readonly kept: ReadonlyMap<EifSectionType, Uint8Array>;
  /** CRC-32 of the bytes as they are; the header says what it should be. */
  readonly crc32: number;
  readonly pcrs: ImagePcrs;
}

/** What a walk needs beside the image. */
export interface WalkOptions extends ReadEifOptions {
  readonly platform: Platform;
  readonly visit?: SectionVisitor;
}

async function* oncePiece(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** One pass over an image: every byte is read, checked, counted into the CRC and, where it is measured, hashed. */
class Walk {
  readonly #reader: ByteReader;
  readonly #source: OpenSource;
  readonly #options: WalkOptions;
  readonly #digests: ImageDigests;
  readonly #kept = new Map<EifSectionType, Uint8Array>();
  readonly #sections: EifSection[] = [];
  readonly #rules = new SectionRules();
  readonly #crc: RunningCrc;
  #parallel: ParallelSha384 | undefined;
  #ramdisks = 0;

  constructor(source: OpenSource, options: WalkOptions) {
    this.#source = source;
    this.#options = options;
    this.#reader = new ByteReader(source.pieces);
    this.#digests = new ImageDigests(options.platform.createSha384);
    this.#crc = new RunningCrc(options.platform.crc32);
  }

  async run(): Promise<WalkedEif> {
    const header = await this.#readHeader();
    const end = declaredLength(header);
    for (const [index, size] of header.sectionSizes.entries()) await this.#readSection(header, index, size);
    this.#rules.finish(header.version);
    if ((await this.#reader.peek()) !== undefined) {
      fail('EIF_TRAILING_BYTES', `expected the image to end at ${end}, found more bytes`, { offset: end });
    }
    const hasApp = this.#ramdisks > 1;
    const pcrs = this.#digests.pcrs(hasApp ? await this.#parallel?.digest() : undefined);
    return { byteLength: end, header, sections: this.#sections, kept: this.#kept, crc32: this.#crc.value, pcrs };
  }

  async close(): Promise<void> {
    await this.#parallel?.close();
    await this.#reader.close();
  }

  async #readHeader(): Promise<EifHeader> {
    const bytes = await this.#reader.read(HEADER_BYTES);
    const header = decodeHeader(bytes);
    this.#crc.update(bytes.subarray(0, CRC_OFFSET));
    const end = declaredLength(header);
    this.#expectLength(end);
    // Now rather than at the second ramdisk: it starts while what comes before is hashed here.
    this.#parallel = this.#options.platform.createParallelSha384?.(end);
    return header;
  }

  #expectLength(end: number): void {
    const { byteLength } = this.#source;
    if (byteLength === undefined) return;
    // Before anything else is read: a few bytes must not announce gigabytes.
    if (end > byteLength) {
      fail('EIF_TABLE_BEYOND_FILE', `expected sections up to ${end}, found the end of the image at ${byteLength}`);
    }
    if (end < byteLength) {
      fail('EIF_TRAILING_BYTES', `expected the image to end at ${end}, found ${byteLength - end} more bytes`, {
        offset: end,
      });
    }
  }

  async #readSection(header: EifHeader, index: number, size: number): Promise<void> {
    const offset = this.#reader.offset;
    const bytes = await this.#reader.read(SECTION_HEADER_BYTES);
    if (bytes.length < SECTION_HEADER_BYTES) {
      fail('EIF_SECTION_HEADER_TRUNCATED', `expected the header of section ${index}, found ${bytes.length} bytes`, {
        offset,
      });
    }
    const sectionHeader = decodeSectionHeader(bytes, header.version, offset);
    if (sectionHeader.size !== size) {
      fail(
        'EIF_SECTION_SIZE_MISMATCH',
        `expected ${size} bytes in section ${index}, as the table says, found ${sectionHeader.size} in its header`,
        { offset: offset + 4 },
      );
    }
    this.#rules.admit(sectionHeader, offset);
    this.#crc.update(bytes);
    const section = { type: sectionHeader.type, index, offset, size };
    this.#sections.push(section);
    await this.#readData(section);
  }

  async #readData(section: EifSection): Promise<void> {
    const end = this.#reader.offset + section.size;
    const app = this.#enter(section);
    if (MAX_SECTION_BYTES[section.type] !== undefined) {
      const bytes = new Uint8Array(section.size);
      let at = 0;
      for await (const piece of this.#measured(section, end, app)) {
        bytes.set(piece, at);
        at += piece.length;
      }
      this.#kept.set(section.type, bytes);
      await this.#options.visit?.(section, oncePiece(bytes));
      return;
    }
    await this.#options.visit?.(section, this.#measured(section, end, app));
    for await (const _ of this.#measured(section, end, app));
  }

  #enter({ type }: EifSection): ParallelSha384 | undefined {
    if (type === 'ramdisk') this.#ramdisks += 1;
    this.#digests.enter(type, this.#parallel !== undefined);
    return type === 'ramdisk' && this.#ramdisks > 1 ? this.#parallel : undefined;
  }

  /** Whichever thread has more time calculates the piece's CRC. */
  #handOver(piece: Uint8Array, app: ParallelSha384 | undefined): Promise<void> | undefined {
    if (app?.isIdle) return app.update(piece, this.#crc.later(piece.length));
    const handedOver = app?.update(piece);
    this.#crc.update(piece);
    return handedOver;
  }

  /** The section's data up to `end`, counted into the CRC and the digests as they go by. */
  async *#measured(
    section: EifSection,
    end: number,
    app: ParallelSha384 | undefined,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const { signal, onProgress } = this.#options;
    while (this.#reader.offset < end) {
      signal?.throwIfAborted();
      const piece = await this.#reader.next(end - this.#reader.offset);
      if (piece.length === 0) {
        const found = section.size - (end - this.#reader.offset);
        fail('EIF_SECTION_TRUNCATED', `expected ${section.size} bytes in section ${section.index}, found ${found}`, {
          offset: this.#reader.offset,
        });
      }
      const handedOver = this.#handOver(piece, app);
      this.#digests.update(piece);
      await handedOver;
      onProgress?.({
        done: this.#reader.offset,
        ...(this.#source.byteLength === undefined ? {} : { total: this.#source.byteLength }),
      });
      yield piece;
    }
  }
}

/**
 * Walks an image from its first byte to its last. The offset table (which QEMU follows) and the sequence of section
 * headers (which AWS's reader follows) have to describe the same sections.
 */
export async function walkEif(source: OpenSource, options: WalkOptions): Promise<WalkedEif> {
  const walk = new Walk(source, options);
  try {
    return await walk.run();
  } finally {
    await walk.close();
  }
}
