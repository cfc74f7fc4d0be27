import type { EifListing } from '../read/entries.ts';
import { listEif } from '../read/entries.ts';
import type { Eif, EifPcrs } from '../read/read-eif.ts';
import { readEifFrom } from '../read/read-eif.ts';
import type { ReadEifOptions } from '../read/walk.ts';
import type { NodeEifSource } from './file-source.ts';
import { withSource } from './file-source.ts';
import { nodePlatform } from './platform.ts';

/**
 * Reads a whole image in one pass: structure, CRC, PCRs, command line, metadata and signature (which it does not verify).
 * Takes at most some 20 MiB of memory, whatever the image's length.
 * @throws {EifError} with the code of the first rule that the image breaks, `EIF_SOURCE`, or `EIF_SOURCE_CHANGED`.
 */
export async function readEif(source: NodeEifSource, options: ReadEifOptions = {}): Promise<Eif> {
  return withSource(source, (opened) => readEifFrom(opened, { ...options, platform: nodePlatform }));
}

/**
 * The PCRs of an image as the platform computes them.
 * @throws {EifError} as {@link readEif}.
 */
export async function measureEif(source: NodeEifSource, options: ReadEifOptions = {}): Promise<EifPcrs> {
  return (await readEif(source, options)).pcrs;
}

/**
 * Lists the files in an image's ramdisks, with the SHA-384 of each one's content.
 * @throws {EifError} as {@link readEif}, or a `CPIO_…` code.
 */
export async function lsEif(source: NodeEifSource, options: ReadEifOptions = {}): Promise<EifListing> {
  return withSource(source, (opened) => listEif(opened, { ...options, platform: nodePlatform }));
}
