import { browserPlatform } from './browser-platform.ts';
import type { EifListing } from './read/entries.ts';
import { listEif } from './read/entries.ts';
import type { Eif, EifPcrs } from './read/read-eif.ts';
import { readEifFrom } from './read/read-eif.ts';
import type { ReadEifOptions } from './read/walk.ts';
import type { EifSource } from './source.ts';
import { openSource } from './source.ts';

export type { CpioFileType } from './cpio/entry.ts';
export type { ImagePcrs } from './digests.ts';
export type {
  CpioErrorCode,
  EifErrorCode,
  EifFormatErrorCode,
  EifOperationErrorCode,
  EifSignatureErrorCode,
} from './error.ts';
export { EifError } from './error.ts';
export type { EifArchitecture, EifHeader } from './format/header.ts';
export type { EifSectionType } from './format/section.ts';
export type { EifEntry, EifListing } from './read/entries.ts';
export type { EifMetadata } from './read/metadata.ts';
export type { Eif, EifPcrs } from './read/read-eif.ts';
export type { EifSection, ReadEifOptions, ReadProgress } from './read/walk.ts';
export type { SigningCertificate } from './sign/certificate.ts';
export type { EifSignature } from './sign/signature-section.ts';
export type { EifSource } from './source.ts';

/**
 * Reads a whole image in one pass: structure, CRC, PCRs, command line, metadata and signature (which it does not verify).
 * @throws {EifError} with the code of the first rule that the image breaks, or `EIF_SOURCE`.
 */
export async function readEif(source: EifSource, options: ReadEifOptions = {}): Promise<Eif> {
  return readEifFrom(openSource(source), { ...options, platform: browserPlatform });
}

/**
 * The PCRs of an image as the platform computes them.
 * @throws {EifError} as {@link readEif}.
 */
export async function measureEif(source: EifSource, options: ReadEifOptions = {}): Promise<EifPcrs> {
  return (await readEif(source, options)).pcrs;
}

/**
 * Lists the files in an image's ramdisks, with the SHA-384 of each one's content.
 * @throws {EifError} as {@link readEif}, or a `CPIO_…` code.
 */
export async function lsEif(source: EifSource, options: ReadEifOptions = {}): Promise<EifListing> {
  return listEif(openSource(source), { ...options, platform: browserPlatform });
}
