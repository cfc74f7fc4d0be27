import { encodeHex } from '@nitro-enclaves/core';
import type { EifErrorCode } from '../error.ts';
import { EifError } from '../error.ts';
import type { EifHeader } from '../format/header.ts';
import type { Platform } from '../platform.ts';
import type { DigestedSection } from '../read/contents.ts';
import type { EifMetadata } from '../read/metadata.ts';
import type { Eif, EifPcrs } from '../read/read-eif.ts';
import { decodeWalkedEif, expectCrc } from '../read/read-eif.ts';
import type { ReadEifOptions, SectionVisitor } from '../read/walk.ts';
import { walkEif } from '../read/walk.ts';
import type { EifSignatureAlgorithm } from '../sign/algorithm.ts';
import type { VerifySignatureOptions } from '../sign/verify-signature.ts';
import { verifyEifSignature } from '../sign/verify-signature.ts';
import type { OpenSource } from '../source.ts';
import type { SigningCertificateText } from './certificate-text.ts';
import { formatSigningCertificate } from './certificate-text.ts';

/** Whether an image's signature holds: with which algorithm, or why not. */
export type SignatureVerdict =
  | { readonly valid: true; readonly algorithm: EifSignatureAlgorithm['name'] }
  | { readonly valid: false; readonly code: EifErrorCode; readonly message: string };

/** A signature, and whether it holds. */
export type SignatureInspection = SignatureVerdict & { readonly certificate: SigningCertificateText };

/** All that can be said of an image without looking into its ramdisks, as JSON. */
export interface EifInspection {
  /** In bytes. */
  readonly byteLength: number;
  readonly header: EifHeader;
  readonly sections: readonly DigestedSection[];
  readonly cmdline: string;
  readonly pcrs: EifPcrs;
  readonly signature: SignatureInspection | null;
  /** Not measured. */
  readonly metadata: EifMetadata | null;
}

async function judgeSignature(eif: Eif, options: VerifySignatureOptions): Promise<SignatureVerdict> {
  try {
    const { algorithm } = await verifyEifSignature(eif, options);
    return { valid: true, algorithm };
  } catch (error) {
    if (!(error instanceof EifError)) throw error;
    return { valid: false, code: error.code, message: error.message };
  }
}

/** Reads an image and tells all about it, each section's digest and the signature's verdict included. */
export async function inspectEifFrom(
  source: OpenSource,
  options: ReadEifOptions & VerifySignatureOptions & { readonly platform: Platform },
): Promise<EifInspection> {
  const sections: DigestedSection[] = [];
  const visit: SectionVisitor = async (section, data) => {
    const sha384 = options.platform.createSha384();
    for await (const piece of data) sha384.update(piece);
    sections.push({ ...section, sha384: encodeHex(sha384.digest()) });
  };
  const walked = await walkEif(source, { ...options, visit });
  expectCrc(walked);
  const eif = decodeWalkedEif(walked, options);
  const { byteLength, header, cmdline, pcrs, metadata = null, signature } = eif;
  const inspected =
    signature === undefined
      ? null
      : { ...(await judgeSignature(eif, options)), certificate: formatSigningCertificate(signature.certificate) };
  return { byteLength, header, sections, cmdline, pcrs, signature: inspected, metadata };
}
