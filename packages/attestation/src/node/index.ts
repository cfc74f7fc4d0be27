import type { ArchivePolicy, AttestationPolicy } from '../policy.ts';
import type { ArchivedAttestationDocument, VerifiedAttestationDocument } from '../verified-document.ts';
import type { SyncVerifier, VerifierOptions, VerifyOptions } from '../verifier.ts';
import { syncVerifierOver, verifyArchivedOver, verifyArchivedSyncOver } from '../verifier.ts';
import { NODE_CRYPTO, SYNC_NODE_CRYPTO } from './node-crypto.ts';

// In browsers, which pay for each byte, these have entries of their own.
export type { Commitment } from '../measurement.ts';
export { calculateBinding, calculateCommitment, calculateInstancePcr, calculateRolePcr } from '../measurement.ts';
export { AWS_NITRO_ROOT_G1 } from '../root-g1.ts';
export * from '../shared-exports.ts';
export { readAttestationDocumentBytes } from '../text.ts';
export { readUserDataJson, readUserDataText } from '../user-data.ts';
export type { SyncVerifier } from '../verifier.ts';

/**
 * Verifies a document: CBOR and COSE, the certificate path to AWS's root, the signature, and then the policy. For more than
 * one document, {@link createVerifier} is several times as fast.
 * @throws {AttestationError} when the document is not genuine.
 * @throws {PolicyError} when it is genuine, but not what the policy asks for.
 * @throws {PolicyConfigurationError} when the policy is incomplete or wrong; nothing was judged.
 */
export async function verifyAttestationDocument(
  document: Uint8Array,
  policy: AttestationPolicy,
  options?: VerifyOptions,
): Promise<VerifiedAttestationDocument> {
  return createVerifier({ policy, cacheSize: 0 }).verify(document, options);
}

/** {@link verifyAttestationDocument}, at once, on the calling thread. Throws the same errors. */
export function verifyAttestationDocumentSync(
  document: Uint8Array,
  policy: AttestationPolicy,
  options?: VerifyOptions,
): VerifiedAttestationDocument {
  return createVerifier({ policy, cacheSize: 0 }).verifySync(document, options);
}

/**
 * Verifies a document of an archive at its own timestamp: whether it was genuine, and of an allowed image, when it was
 * made. It says nothing about now, and so says the result's type. Throws like {@link verifyAttestationDocument}.
 */
export async function verifyArchivedAttestationDocument(
  document: Uint8Array,
  policy: ArchivePolicy,
): Promise<ArchivedAttestationDocument> {
  return verifyArchivedOver(NODE_CRYPTO, document, policy);
}

/** {@link verifyArchivedAttestationDocument}, at once, on the calling thread. Throws the same errors. */
export function verifyArchivedAttestationDocumentSync(
  document: Uint8Array,
  policy: ArchivePolicy,
): ArchivedAttestationDocument {
  return verifyArchivedSyncOver(SYNC_NODE_CRYPTO, document, policy);
}

/**
 * Creates a verifier that checks its policy once and remembers the certificates that it verified: after the first document
 * of an instance, one signature each.
 * @throws {PolicyConfigurationError} when the policy is incomplete or wrong.
 */
export function createVerifier(options: VerifierOptions): SyncVerifier {
  return syncVerifierOver({ waiting: NODE_CRYPTO, sync: SYNC_NODE_CRYPTO }, options);
}
