import { encodeHex } from '@nitro-enclaves/core';
import type { CpioEntry } from '../cpio/entry.ts';
import type { CpioVisitor } from '../cpio/reader.ts';
import { readCpio } from '../cpio/reader.ts';
import { EifError } from '../error.ts';
import type { Platform, Sha384 } from '../platform.ts';
import type { OpenSource } from '../source.ts';
import type { EifEntry } from './entries.ts';
import type { Eif } from './read-eif.ts';
import { decodeWalkedEif, expectCrc } from './read-eif.ts';
import type { EifSection, ReadEifOptions, SectionVisitor } from './walk.ts';
import { walkEif } from './walk.ts';

/** A section with the digest of its data. */
export interface DigestedSection extends EifSection {
  /** SHA-384 of the data, lower-case hexadecimal. */
  readonly sha384: string;
}

/** A ramdisk: what it is made of where it is a cpio archive, and why it is none otherwise. */
export interface RamdiskContents {
  readonly section: DigestedSection;
  /** Position among the ramdisks, from 0. */
  readonly ramdisk: number;
  readonly entries?: readonly EifEntry[];
  readonly notReadable?: EifError;
}

/** An image, its sections' digests and its ramdisks' files. */
export interface EifContents {
  readonly eif: Eif;
  readonly sections: readonly DigestedSection[];
  readonly ramdisks: readonly RamdiskContents[];
}

/** Sees the content of each regular file while it is hashed. A piece holds until the next. */
export interface ContentObserver {
  /** Called for each regular file; what it gives is called with each piece, and with nothing at the end. */
  file?(entry: CpioEntry, ramdisk: number): ((piece: Uint8Array | undefined) => void) | undefined;
  /** Called with the kernel's first bytes. */
  kernelStart?(bytes: Uint8Array): void;
}

/** What {@link readContents} needs beside the image. */
export interface ContentsOptions extends ReadEifOptions {
  readonly platform: Platform;
  readonly observer?: ContentObserver;
}

async function* hashed(data: AsyncIterable<Uint8Array>, sha384: Sha384): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const piece of data) {
    sha384.update(piece);
    yield piece;
  }
}

class ContentsReader {
  readonly #options: ContentsOptions;
  readonly sections: DigestedSection[] = [];
  readonly ramdisks: RamdiskContents[] = [];

  constructor(options: ContentsOptions) {
    this.#options = options;
  }

  /** Digests one section, and lists it when it is a ramdisk. */
  readonly visit: SectionVisitor = async (section, data) => {
    const sha384 = this.#options.platform.createSha384();
    const pieces = hashed(data, sha384);
    const listed = section.type === 'ramdisk' ? await this.#list(pieces) : undefined;
    if (section.type === 'kernel') await this.#showKernel(pieces);
    for await (const _ of pieces);
    const digested = { ...section, sha384: encodeHex(sha384.digest()) };
    this.sections.push(digested);
    if (listed !== undefined) this.ramdisks.push({ section: digested, ramdisk: this.ramdisks.length, ...listed });
  };

  async #showKernel(pieces: AsyncGenerator<Uint8Array, void, undefined>): Promise<void> {
    const { value } = await pieces.next();
    if (value !== undefined) this.#options.observer?.kernelStart?.(value);
  }

  async #list(data: AsyncIterable<Uint8Array>): Promise<Pick<RamdiskContents, 'entries' | 'notReadable'>> {
    const entries: EifEntry[] = [];
    const ramdisk = this.ramdisks.length;
    const visit: CpioVisitor = async (entry, content) => {
      const digest = entry.type === 'file' ? { sha384: await this.#hashFile(entry, ramdisk, content) } : {};
      entries.push({ ...entry, ramdisk, ...digest });
    };
    const { signal, platform } = this.#options;
    try {
      await readCpio(data, visit, { gunzip: platform.gunzip, signal });
      return { entries };
    } catch (error) {
      // The image itself may be fine: a ramdisk is measured whatever is in it.
      if (error instanceof EifError && error.code.startsWith('CPIO_')) return { notReadable: error };
      throw error;
    }
  }

  async #hashFile(entry: CpioEntry, ramdisk: number, content: AsyncIterable<Uint8Array>): Promise<string> {
    const sha384 = this.#options.platform.createSha384();
    const observe = this.#options.observer?.file?.(entry, ramdisk);
    for await (const piece of content) {
      sha384.update(piece);
      observe?.(piece);
    }
    observe?.(undefined);
    return encodeHex(sha384.digest());
  }
}

/** Reads an image with everything in it. A ramdisk that is no cpio archive is told, not thrown. */
export async function readContents(source: OpenSource, options: ContentsOptions): Promise<EifContents> {
  const reader = new ContentsReader(options);
  const walked = await walkEif(source, { ...options, visit: reader.visit });
  expectCrc(walked);
  return { eif: decodeWalkedEif(walked, options), sections: reader.sections, ramdisks: reader.ramdisks };
}
