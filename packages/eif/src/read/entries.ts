import { encodeHex } from '@nitro-enclaves/core';
import type { CpioEntry } from '../cpio/entry.ts';
import { readCpio } from '../cpio/reader.ts';
import type { Platform } from '../platform.ts';
import type { OpenSource } from '../source.ts';
import type { Eif } from './read-eif.ts';
import { decodeWalkedEif, expectCrc } from './read-eif.ts';
import type { ReadEifOptions, SectionVisitor } from './walk.ts';
import { walkEif } from './walk.ts';

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

async function hashContent(platform: Platform, content: AsyncIterable<Uint8Array>): Promise<string> {
  const sha384 = platform.createSha384();
  for await (const piece of content) sha384.update(piece);
  return encodeHex(sha384.digest());
}

/** Reads an image and lists what is in its ramdisks, with the digest of each file's content. */
export async function listEif(
  source: OpenSource,
  options: ReadEifOptions & { readonly platform: Platform },
): Promise<EifListing> {
  const entries: EifEntry[] = [];
  let ramdisk = -1;
  const visit: SectionVisitor = async ({ type }, data) => {
    if (type !== 'ramdisk') return;
    ramdisk += 1;
    await readCpio(data, async (entry, content) => {
      const digest = entry.type === 'file' ? { sha384: await hashContent(options.platform, content) } : {};
      entries.push({ ...entry, ramdisk, ...digest });
    });
  };
  const walked = await walkEif(source, { ...options, visit });
  expectCrc(walked);
  return { eif: decodeWalkedEif(walked, options), entries };
}
