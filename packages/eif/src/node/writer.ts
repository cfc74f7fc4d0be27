import type { FileHandle } from 'node:fs/promises';
import { open, rename, rm } from 'node:fs/promises';
import type { ImagePcrs } from '../digests.ts';
import { ImageDigests } from '../digests.ts';
import { fail } from '../error.ts';
import { combineCrc32 } from '../format/crc32.ts';
import type { EifArchitecture } from '../format/header.ts';
import {
  CRC_OFFSET,
  CURRENT_VERSION,
  DEFAULT_CPUS,
  DEFAULT_MEMORY,
  encodeHeader,
  HEADER_BYTES,
  MAX_SECTIONS,
} from '../format/header.ts';
import type { EifSectionType } from '../format/section.ts';
import { encodeSectionHeader, SECTION_HEADER_BYTES } from '../format/section.ts';
import type { ParallelSha384 } from '../platform.ts';
import { RunningCrc } from '../read/running-crc.ts';
import { createParallelSha384 } from './parallel-sha384.ts';
import { nodePlatform } from './platform.ts';
import { temporaryName } from './temporary-name.ts';

/** Data of a section: whole, or in pieces. */
export type SectionData = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** Options of {@link EifWriter.create}. */
export interface EifWriterOptions {
  readonly architecture: EifArchitecture;
  /** Version of the format. Default 4. */
  readonly version?: number;
  /** Bytes of memory for the header's ignored field. Default 1 GiB, as AWS's builder writes. */
  readonly defaultMemory?: number;
  /** CPUs for the header's ignored field. Default 2, as AWS's builder writes. */
  readonly defaultCpus?: number;
  /** Permission bits of the finished file, before the umask. Default 0o644. */
  readonly mode?: number;
  /**
   * About how many bytes the second and later ramdisks will have: with many of them, a second thread takes part. Then
   * {@link EifWriter.pcrs} is for after the last of them.
   */
  readonly expectedAppBytes?: number;
  /** Stops the writing; nothing is left behind. */
  readonly signal?: AbortSignal;
}

/** A written image. */
export interface WrittenEif {
  readonly byteLength: number;
  readonly crc32: number;
  readonly pcrs: ImagePcrs;
}

interface WrittenSection {
  readonly type: EifSectionType;
  readonly offset: number;
  readonly size: number;
  readonly dataCrc: RunningCrc;
}

/** Whichever thread has more time calculates the piece's CRC. */
function handOver(piece: Uint8Array, crc: RunningCrc, app: ParallelSha384 | undefined): Promise<void> | undefined {
  if (app?.isIdle) return app.update(piece, crc.later(piece.length));
  const handedOver = app?.update(piece);
  crc.update(piece);
  return handedOver;
}

/**
 * Writes an image section by section, in one pass, without knowing sizes beforehand: the headers are filled in at the
 * end, and the CRC is put together from the pieces' CRCs. Everything goes to a temporary name beside `path`, which takes
 * its place only in {@link EifWriter.finish}: a reader never sees half an image, and a writer that is disposed of
 * unfinished leaves nothing.
 */
export class EifWriter {
  readonly #path: string;
  readonly #temporary: string;
  readonly #file: FileHandle;
  readonly #options: EifWriterOptions;
  readonly #digests: ImageDigests = new ImageDigests(nodePlatform.createSha384);
  readonly #sections: WrittenSection[] = [];
  #offset = HEADER_BYTES;
  #open = true;
  #ramdisks = 0;
  /** Calculates the second and later ramdisks' own digest. */
  #parallel: ParallelSha384 | undefined;
  #appDigest: Promise<Uint8Array> | undefined;

  private constructor(path: string, temporary: string, file: FileHandle, options: EifWriterOptions) {
    this.#path = path;
    this.#temporary = temporary;
    this.#file = file;
    this.#options = options;
  }

  /** Opens a temporary file beside `path`. */
  static async create(path: string, options: EifWriterOptions): Promise<EifWriter> {
    options.signal?.throwIfAborted();
    const temporary = temporaryName(path);
    return new EifWriter(path, temporary, await open(temporary, 'wx', options.mode ?? 0o644), options);
  }

  /**
   * Appends one section and returns the length of its data, in bytes.
   * @throws {EifError} `EIF_SECTION_COUNT` when 32 are already there, `EIF_WRITER_STATE` after the end.
   */
  async section(type: EifSectionType, data: SectionData): Promise<number> {
    this.#expectOpen();
    if (this.#sections.length === MAX_SECTIONS) fail('EIF_SECTION_COUNT', `expected at most ${MAX_SECTIONS} sections`);
    const offset = this.#offset;
    this.#offset += SECTION_HEADER_BYTES;
    const app = this.#enter(type);
    const dataCrc = new RunningCrc(nodePlatform.crc32);
    for await (const piece of data instanceof Uint8Array ? [data] : data) {
      this.#options.signal?.throwIfAborted();
      // The kernel takes the piece on a thread of its own while it is hashed here.
      const writing = this.#write(piece, this.#offset);
      const handedOver = handOver(piece, dataCrc, app);
      this.#digests.update(piece);
      await Promise.all([writing, handedOver]);
      this.#offset += piece.length;
    }
    const size = this.#offset - offset - SECTION_HEADER_BYTES;
    this.#sections.push({ type, offset, size, dataCrc });
    await this.#write(encodeSectionHeader(type, size), offset);
    return size;
  }

  /** PCR0, PCR1 and PCR2 of what was written so far. */
  async pcrs(): Promise<ImagePcrs> {
    this.#appDigest ??= this.#parallel?.digest();
    return this.#digests.pcrs(await this.#appDigest);
  }

  #enter(type: EifSectionType): ParallelSha384 | undefined {
    if (type === 'ramdisk') this.#ramdisks += 1;
    const inApp = type === 'ramdisk' && this.#ramdisks > 1;
    if (inApp && this.#ramdisks === 2) this.#parallel = createParallelSha384(this.#options.expectedAppBytes ?? 0);
    if (inApp && this.#appDigest !== undefined) {
      fail('EIF_WRITER_STATE', 'expected all ramdisks before the PCRs are asked for, found one more');
    }
    this.#digests.enter(type, this.#parallel !== undefined);
    return inApp ? this.#parallel : undefined;
  }

  /** Writes the header, flushes, and puts the image in its place. */
  async finish(): Promise<WrittenEif> {
    this.#expectOpen();
    const { architecture, version, defaultMemory, defaultCpus, signal } = this.#options;
    const header = {
      version: version ?? CURRENT_VERSION,
      architecture,
      defaultMemory: defaultMemory ?? DEFAULT_MEMORY,
      defaultCpus: defaultCpus ?? DEFAULT_CPUS,
      sectionOffsets: this.#sections.map(({ offset }) => offset),
      sectionSizes: this.#sections.map(({ size }) => size),
    };
    // The second thread, if there is one, has given its last CRC when it gives its digest.
    const pcrs = await this.pcrs();
    await this.#parallel?.close();
    const crc32 = this.#crcAfter(encodeHeader({ ...header, crc32: 0 }).subarray(0, CRC_OFFSET));
    await this.#write(encodeHeader({ ...header, crc32 }), 0);
    await this.#file.sync();
    await this.#file.close();
    signal?.throwIfAborted();
    await rename(this.#temporary, this.#path);
    this.#open = false;
    return { byteLength: this.#offset, crc32, pcrs };
  }

  /** Leaves nothing behind unless {@link EifWriter.finish} has succeeded. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.#parallel?.close();
    await this.#file.close();
    await rm(this.#temporary, { force: true });
  }

  #expectOpen(): void {
    if (!this.#open) fail('EIF_WRITER_STATE', 'expected an image that is still being written, found a finished one');
  }

  async #write(bytes: Uint8Array, position: number): Promise<void> {
    for (let written = 0; written < bytes.length; ) {
      const { bytesWritten } = await this.#file.write(bytes, written, bytes.length - written, position + written);
      written += bytesWritten;
    }
  }

  #crcAfter(headerBytes: Uint8Array): number {
    let crc = nodePlatform.crc32(headerBytes, 0);
    for (const { type, size, dataCrc } of this.#sections) {
      crc = combineCrc32(nodePlatform.crc32(encodeSectionHeader(type, size), crc), dataCrc.value, size);
    }
    return crc;
  }
}
