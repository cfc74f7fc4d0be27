// What the entries of Node and of browsers have in common.
export type { ChainCertificate } from './certificate-path.ts';
export type { CheckName } from './checks.ts';
export type { AttestationDocument, DocumentKind, Pcrs, UnknownField } from './document.ts';
export type { AttestationErrorCode, PolicyConfigurationErrorCode, PolicyErrorCode } from './error.ts';
export { AttestationError, PolicyConfigurationError, PolicyError } from './error.ts';
export { parseAttestationDocument } from './parse.ts';
export type {
  AgeFreshness,
  ArchivePolicy,
  AttestationPolicy,
  Binding,
  EnclaveImage,
  FreshnessRule,
  NitroTpmImage,
  NonceFreshness,
  PcrValue,
  RevokedCertificate,
  VerifierPolicy,
} from './policy.ts';
export { allowAnyAge, allowAnyImage, allowDebugMode, allowKmsRecipientDocument, customTrustAnchor } from './policy.ts';
export { AWS_NITRO_ROOT_G1_SHA256 } from './trust-anchor.ts';
export type {
  ArchivedAttestationDocument,
  MatchedImage,
  TrustedFields,
  UnverifiedAttestationDocument,
  VerifiedAttestationDocument,
} from './verified-document.ts';
export type { Verifier, VerifierCallOptions, VerifierOptions, VerifyOptions } from './verifier.ts';
