import type { CpioEntry } from '../cpio/entry.ts';
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

/** An image and the files in its ramdisks. */
export interface EifListing {
  readonly eif: Eif;
  readonly entries: readonly EifEntry[];
}

/** Reads an image and lists what is in its ramdisks, all of which have to be cpio archives. */
export async function listEif(
  source: OpenSource,
  options: ReadEifOptions & { readonly platform: Platform },
): Promise<EifListing> {
  const { eif, ramdisks } = await readContents(source, options);
  for (const { notReadable } of ramdisks) if (notReadable !== undefined) throw notReadable;
  return { eif, entries: ramdisks.flatMap(({ entries = [] }) => entries) };
}
