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
