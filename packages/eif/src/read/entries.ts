import type { CpioEntry } from '../cpio/entry.ts';
import type { EifErrorCode } from '../error.ts';
import type { Platform } from '../platform.ts';
import type { OpenSource } from '../source.ts';
import { readContents } from './contents.ts';
import type { Eif } from './read-eif.ts';
import type { ReadEifOptions } from './walk.ts';

/** A file inside one of the image's ramdisks. */
export interface EifEntry extends CpioEntry {
  /** Which ramdisk, from 0. The first counts into PCR1, the others into PCR2; all count into PCR0. */
  readonly ramdisk: number;
  /** SHA-384 of a regular file's content, lower-case hexadecimal. */
  readonly sha384?: string;
}

/** A ramdisk that is no cpio archive, or a damaged one: nothing of it is listed. */
export interface UnreadableRamdisk {
  readonly ramdisk: number;
  /** In bytes. */
  readonly size: number;
  /** A `CPIO_…` code. */
  readonly code: EifErrorCode;
  readonly message: string;
}

/** An image and the files in its ramdisks. */
export interface EifListing {
  readonly eif: Eif;
  readonly entries: readonly EifEntry[];
  /** Ramdisks that are not listed. The platform measures them like any other. */
  readonly unreadable: readonly UnreadableRamdisk[];
}

/** Reads an image and lists what is in its ramdisks. */
export async function listEif(
  source: OpenSource,
  options: ReadEifOptions & { readonly platform: Platform },
): Promise<EifListing> {
  const { eif, ramdisks } = await readContents(source, options);
  return {
    eif,
    entries: ramdisks.flatMap(({ entries = [] }) => entries),
    unreadable: ramdisks.flatMap(({ ramdisk, section: { size }, notReadable }) =>
      notReadable === undefined ? [] : { ramdisk, size, code: notReadable.code, message: notReadable.message },
    ),
  };
}
