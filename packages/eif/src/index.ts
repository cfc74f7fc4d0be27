import { browserPlatform } from './browser-platform.ts';
import type { DescribeEifOutput } from './describe/describe-eif.ts';
import { describeEifFrom } from './describe/describe-eif.ts';
import type { EifInspection } from './describe/inspect-eif.ts';
import { inspectEifFrom } from './describe/inspect-eif.ts';
import type { EifDiff } from './diff/change.ts';
import { compareContents } from './diff/diff-eif.ts';
import type { EifFinding } from './lint/finding.ts';
import { lintEifFrom } from './lint/lint-eif.ts';
import type { EifContents } from './read/contents.ts';
import { readContents } from './read/contents.ts';
import type { EifListing } from './read/entries.ts';
import { listEif } from './read/entries.ts';
import type { Eif, EifPcrs } from './read/read-eif.ts';
import { readEifFrom } from './read/read-eif.ts';
import type { ReadEifOptions } from './read/walk.ts';
import type { VerifiedEif, VerifySignatureOptions } from './sign/verify-signature.ts';
import { verifyEifSignature } from './sign/verify-signature.ts';
import type { EifSource } from './source.ts';
import { openSource } from './source.ts';

export type { CpioFileType } from './cpio/entry.ts';
export type { SigningCertificateText } from './describe/certificate-text.ts';
export { formatSigningCertificate } from './describe/certificate-text.ts';
export type { BuildEnclaveOutput, DescribeEifOutput, Measurements } from './describe/describe-eif.ts';
export { toBuildEnclaveOutput } from './describe/describe-eif.ts';
export type { EifInspection, SignatureInspection, SignatureVerdict } from './describe/inspect-eif.ts';
export type {
  DataSummary,
  EifChange,
  EifDiff,
  FileAspect,
  ImagePcrName,
  SignatureState,
} from './diff/change.ts';
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
export type { KmsPolicyErrorCode } from './kms-policy/error.ts';
export { KmsPolicyError } from './kms-policy/error.ts';
export { toCdk, toTerraform } from './kms-policy/snippets.ts';
export type {
  AttestedAction,
  KmsPolicy,
  KmsPolicyOptions,
  KmsPolicyStatement,
  KmsPolicyWarning,
  PolicyPcrs,
} from './kms-policy/statement.ts';
export { createKmsPolicyStatement } from './kms-policy/statement.ts';
export type { EifFinding, EifLintRule } from './lint/finding.ts';
export { extendPcr, pcr3FromRoleArn, pcr4FromInstanceId, pcr8FromCertificate, ZERO_PCR } from './pcr/pcr.ts';
export type { DigestedSection } from './read/contents.ts';
export type { EifEntry, EifListing, UnreadableRamdisk } from './read/entries.ts';
export type { EifMetadata } from './read/metadata.ts';
export type { Eif, EifPcrs } from './read/read-eif.ts';
export type { EifSection, ReadEifOptions, ReadProgress } from './read/walk.ts';
export type { EifSignatureAlgorithm } from './sign/algorithm.ts';
export type { SigningCertificate } from './sign/certificate.ts';
export type { EifSignature } from './sign/signature-section.ts';
export type { VerifiedEif, VerifySignatureOptions } from './sign/verify-signature.ts';
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
 * Lists the files in an image's ramdisks, with the SHA-384 of each one's content. Ramdisks that cannot be listed are told
 * in `unreadable`.
 * @throws {EifError} as {@link readEif}.
 */
export async function lsEif(source: EifSource, options: ReadEifOptions = {}): Promise<EifListing> {
  return listEif(openSource(source), { ...options, platform: browserPlatform });
}

/**
 * Reads an image and verifies its signature: it is by the key of the embedded certificate, covers the measured PCR0, and
 * the certificate is valid. Compare PCR8 with the signer that you expect: anyone can make a certificate.
 * @throws {EifError} as {@link readEif}; `EIF_SIGNATURE_MISSING`; an `EIF_SIGNATURE…` or `EIF_CERTIFICATE_…` code.
 */
export async function verifyEif(
  source: EifSource,
  options: ReadEifOptions & VerifySignatureOptions = {},
): Promise<VerifiedEif> {
  const eif = await readEif(source, options);
  return { ...(await verifyEifSignature(eif, options)), pcrs: eif.pcrs };
}

/**
 * Describes an image in the exact shape of `nitro-cli describe-eif`. As there, a wrong CRC and a signature that does not
 * hold are told (`CheckCRC`, `SignatureCheck`).
 * @throws {EifError} as {@link readEif} for everything else.
 */
export async function describeEif(source: EifSource, options: ReadEifOptions = {}): Promise<DescribeEifOutput> {
  return describeEifFrom(openSource(source), { ...options, platform: browserPlatform });
}

/**
 * Compares two images: which files, modes, command line or kernel differ, and which PCR each of them moves.
 * @throws {EifError} as {@link readEif}.
 */
export async function diffEif(left: EifSource, right: EifSource, options: ReadEifOptions = {}): Promise<EifDiff> {
  const read = (source: EifSource): Promise<EifContents> =>
    readContents(openSource(source), { ...options, platform: browserPlatform });
  return compareContents(await read(left), await read(right));
}

/**
 * Says what about an image is worth a look: secrets in it, times that are not fixed, debug settings, what no PCR covers.
 * @throws {EifError} as {@link readEif}.
 */
export async function lintEif(
  source: EifSource,
  options: ReadEifOptions & VerifySignatureOptions = {},
): Promise<EifFinding[]> {
  return lintEifFrom(openSource(source), { ...options, platform: browserPlatform });
}

/**
 * Tells all about an image but what is in its ramdisks: header, sections with their digests, command line, PCRs, the
 * signature and whether it holds, metadata.
 * @throws {EifError} as {@link readEif}.
 */
export async function inspectEif(
  source: EifSource,
  options: ReadEifOptions & VerifySignatureOptions = {},
): Promise<EifInspection> {
  return inspectEifFrom(openSource(source), { ...options, platform: browserPlatform });
}
