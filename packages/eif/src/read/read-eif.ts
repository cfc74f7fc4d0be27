import type { ImagePcrs } from '../digests.ts';
import { fail } from '../error.ts';
import type { EifHeader } from '../format/header.ts';
import type { EifSignature } from '../sign/signature-section.ts';
import { decodeSignatureSection, pcr8 } from '../sign/signature-section.ts';
import type { OpenSource } from '../source.ts';
import type { EifMetadata } from './metadata.ts';
import { decodeMetadata } from './metadata.ts';
import { decodeCmdline } from './text.ts';
import type { EifSection, WalkedEif, WalkOptions } from './walk.ts';
import { walkEif } from './walk.ts';

/** PCRs of an image as the platform computes them, lower-case hexadecimal. */
export interface EifPcrs extends ImagePcrs {
  /** The signing certificate; absent in an image without a signature, where the platform leaves PCR8 zero. */
  readonly PCR8?: string;
}

/** An image that has been read from its first byte to its last, and found well-formed. */
export interface Eif {
  /** Length of the image, in bytes. */
  readonly byteLength: number;
  /** The header, which no PCR covers. */
  readonly header: EifHeader;
  /** The sections, in the file's order. */
  readonly sections: readonly EifSection[];
  /** The kernel's command line. */
  readonly cmdline: string;
  /** The metadata, which no PCR covers; absent in versions 2 and 3. */
  readonly metadata?: EifMetadata;
  /** The signature as found, **not verified**: see `verifyEif`. */
  readonly signature?: EifSignature;
  readonly pcrs: EifPcrs;
}

/** Decodes the small sections of a walked image. */
export function decodeWalkedEif(walked: WalkedEif, { platform }: WalkOptions): Eif {
  const { byteLength, header, sections, kept, pcrs } = walked;
  const metadata = kept.get('metadata');
  const signatureSection = kept.get('signature');
  const signature = signatureSection === undefined ? undefined : decodeSignatureSection(signatureSection);
  return {
    byteLength,
    header,
    sections,
    cmdline: decodeCmdline(kept.get('cmdline') ?? new Uint8Array(0)),
    ...(metadata === undefined ? {} : { metadata: decodeMetadata(metadata) }),
    ...(signature === undefined ? {} : { signature }),
    pcrs: signature === undefined ? pcrs : { ...pcrs, PCR8: pcr8(platform.createSha384, signature.certificate) },
  };
}

/** Refuses an image whose header holds another CRC than its bytes have: it is damaged. */
export function expectCrc({ header, crc32 }: WalkedEif): void {
  if (crc32 === header.crc32) return;
  fail('EIF_CRC', `expected CRC-32 ${hex32(header.crc32)}, as the header says, found ${hex32(crc32)}`);
}

function hex32(value: number): string {
  return value.toString(16).padStart(8, '0');
}

/** Reads a whole image: structure, CRC, PCRs, metadata, signature. */
export async function readEifFrom(source: OpenSource, options: WalkOptions): Promise<Eif> {
  const walked = await walkEif(source, options);
  expectCrc(walked);
  return decodeWalkedEif(walked, options);
}
