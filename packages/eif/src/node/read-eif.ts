import type { DescribeEifOutput } from '../describe/describe-eif.ts';
import { describeEifFrom } from '../describe/describe-eif.ts';
import type { EifInspection } from '../describe/inspect-eif.ts';
import { inspectEifFrom } from '../describe/inspect-eif.ts';
import type { EifDiff } from '../diff/change.ts';
import { compareContents } from '../diff/diff-eif.ts';
import type { EifFinding } from '../lint/finding.ts';
import { lintEifFrom } from '../lint/lint-eif.ts';
import { extendPcr, ZERO_PCR } from '../pcr/pcr.ts';
import type { EifContents } from '../read/contents.ts';
import { readContents } from '../read/contents.ts';
import type { EifListing } from '../read/entries.ts';
import { listEif } from '../read/entries.ts';
import type { Eif, EifPcrs } from '../read/read-eif.ts';
import { readEifFrom } from '../read/read-eif.ts';
import type { ReadEifOptions } from '../read/walk.ts';
import type { VerifiedEif, VerifySignatureOptions } from '../sign/verify-signature.ts';
import { verifyEifSignature } from '../sign/verify-signature.ts';
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
 * Lists the files in an image's ramdisks, with the SHA-384 of each one's content. Ramdisks that cannot be listed are told
 * in `unreadable`.
 * @throws {EifError} as {@link readEif}.
 */
export async function lsEif(source: NodeEifSource, options: ReadEifOptions = {}): Promise<EifListing> {
  return withSource(source, (opened) => listEif(opened, { ...options, platform: nodePlatform }));
}

/**
 * Reads an image and verifies its signature: it is by the key of the embedded certificate, covers the measured PCR0, and
 * the certificate is valid. Compare PCR8 with the signer that you expect: anyone can make a certificate.
 * @throws {EifError} as {@link readEif}; `EIF_SIGNATURE_MISSING`; an `EIF_SIGNATURE…` or `EIF_CERTIFICATE_…` code.
 */
export async function verifyEif(
  source: NodeEifSource,
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
export async function describeEif(source: NodeEifSource, options: ReadEifOptions = {}): Promise<DescribeEifOutput> {
  return withSource(source, (opened) => describeEifFrom(opened, { ...options, platform: nodePlatform }));
}

/**
 * Compares two images: which files, modes, command line or kernel differ, and which PCR each of them moves.
 * @throws {EifError} as {@link readEif}.
 */
export async function diffEif(
  left: NodeEifSource,
  right: NodeEifSource,
  options: ReadEifOptions = {},
): Promise<EifDiff> {
  const read = (source: NodeEifSource): Promise<EifContents> =>
    withSource(source, (opened) => readContents(opened, { ...options, platform: nodePlatform }));
  return compareContents(await read(left), await read(right));
}

/**
 * Says what about an image is worth a look: secrets in it, times that are not fixed, debug settings, what no PCR covers.
 * @throws {EifError} as {@link readEif}.
 */
export async function lintEif(
  source: NodeEifSource,
  options: ReadEifOptions & VerifySignatureOptions = {},
): Promise<EifFinding[]> {
  return withSource(source, (opened) => lintEifFrom(opened, { ...options, platform: nodePlatform }));
}

/**
 * Tells all about an image but what is in its ramdisks: header, sections with their digests, command line, PCRs, the
 * signature and whether it holds, metadata.
 * @throws {EifError} as {@link readEif}.
 */
export async function inspectEif(
  source: NodeEifSource,
  options: ReadEifOptions & VerifySignatureOptions = {},
): Promise<EifInspection> {
  return withSource(source, (opened) => inspectEifFrom(opened, { ...options, platform: nodePlatform }));
}

/**
 * What a PCR holds after the SHA-384 of `source` has been extended into it from zero, H(0 ‖ H(bytes)): what
 * `nitro-cli pcr --input` prints. No image is expected: any bytes will do.
 */
export async function pcrOfFile(
  source: NodeEifSource,
  { signal }: Pick<ReadEifOptions, 'signal'> = {},
): Promise<string> {
  return withSource(source, async ({ pieces }) => {
    const sha384 = nodePlatform.createSha384();
    for await (const piece of pieces) {
      signal?.throwIfAborted();
      sha384.update(piece);
    }
    return extendPcr(ZERO_PCR, sha384.digest());
  });
}
