import type { CborErrorCode, CertificateErrorCode, CoseErrorCode, DerErrorCode, Refuse } from '@nitro-enclaves/core';
import { NitroEnclavesError, refuseWith } from '@nitro-enclaves/core';

/** Why the evidence itself is bad: malformed, forged, expired, or not signed by Nitro. */
export type AttestationErrorCode =
  | CborErrorCode
  | CertificateErrorCode
  | CoseErrorCode
  | DerErrorCode
  | 'DOCUMENT_EMPTY'
  | 'DOCUMENT_IS_TEXT'
  | 'DOCUMENT_NOT_BYTES'
  | 'DOCUMENT_TOO_LARGE'
  | 'PROTECTED_HEADER_ALGORITHM'
  | 'PROTECTED_HEADER_PARAMETER'
  | 'PROTECTED_HEADER_ENCODING'
  | 'UNPROTECTED_HEADER_NOT_EMPTY'
  | 'PAYLOAD_LENGTH'
  | 'PAYLOAD_NOT_MAP'
  | 'FIELD_NAME_TYPE'
  | 'FIELD_MISSING'
  | 'FIELD_TYPE'
  | 'FIELD_LENGTH'
  | 'FIELD_MODULE_ID_EMPTY'
  | 'FIELD_DIGEST'
  | 'FIELD_TIMESTAMP'
  | 'FIELD_PCRS_AMBIGUOUS'
  | 'FIELD_PCRS_COUNT'
  | 'FIELD_PCR_INDEX'
  | 'FIELD_PCR_LENGTH'
  | 'FIELD_CABUNDLE_COUNT'
  | 'TRUST_ANCHOR'
  | 'PATH_ISSUER'
  | 'PATH_KEY_IDENTIFIER'
  | 'PATH_SIGNATURE_ALGORITHM'
  | 'PATH_KEY_ALGORITHM'
  | 'PATH_KEY_POINT'
  | 'PATH_KEY_NOT_ON_CURVE'
  | 'PATH_BASIC_CONSTRAINTS'
  | 'PATH_NOT_CA'
  | 'PATH_LENGTH'
  | 'PATH_LEAF_IS_CA'
  | 'PATH_LEAF_PATH_LENGTH'
  | 'PATH_KEY_USAGE_MISSING'
  | 'PATH_KEY_USAGE'
  | 'PATH_CRITICAL_EXTENSION'
  | 'PATH_NOT_YET_VALID'
  | 'PATH_EXPIRED'
  | 'PATH_SIGNATURE_RANGE'
  | 'PATH_SIGNATURE'
  | 'SIGNATURE_LENGTH'
  | 'SIGNATURE_RANGE'
  | 'SIGNATURE';

/** The evidence is bad. Nothing in the document may be believed. */
export class AttestationError extends NitroEnclavesError<AttestationErrorCode> {}

/** Why a genuine document is not the one that the policy asked for. */
export type PolicyErrorCode =
  | 'KIND_MISMATCH'
  | 'DEBUG_MODE'
  | 'IMAGE_MISMATCH'
  | 'PCR_MISSING'
  | 'PCR_MISMATCH'
  | 'PCRS_NOT_ALL_LOCKED'
  | 'INSTANCE_MISMATCH'
  | 'ROLE_MISMATCH'
  | 'REGION_MISMATCH'
  | 'NONCE_MISSING'
  | 'NONCE_MISMATCH'
  | 'TOO_OLD'
  | 'FROM_THE_FUTURE'
  | 'PUBLIC_KEY_MISMATCH'
  | 'USER_DATA_MISMATCH'
  | 'USER_DATA_MISSING'
  | 'USER_DATA_NOT_TEXT'
  | 'USER_DATA_NOT_JSON'
  | 'BINDING_MISMATCH'
  | 'KMS_RECIPIENT_DOCUMENT'
  | 'UNKNOWN_FIELD'
  | 'REVOKED';

/** The document is genuine (all signatures hold), but not what the policy asked for. */
export class PolicyError extends NitroEnclavesError<PolicyErrorCode> {}

/** Why a policy cannot be used. */
export type PolicyConfigurationErrorCode =
  | 'POLICY_NOT_AN_OBJECT'
  | 'POLICY_UNKNOWN_OPTION'
  | 'POLICY_OPTION_UNDEFINED'
  | 'POLICY_OPTION_TYPE'
  | 'POLICY_IMAGE_MISSING'
  | 'POLICY_IMAGE_PCRS'
  | 'POLICY_PCR_INDEX'
  | 'POLICY_PCR_VALUE'
  | 'POLICY_PCR_ZERO'
  | 'POLICY_FRESHNESS_MISSING'
  | 'POLICY_NONCE_LENGTH'
  | 'POLICY_DURATION'
  | 'POLICY_EVALUATION_TIME'
  | 'POLICY_TRUST_ANCHOR';

/** The caller's policy is incomplete or wrong; thrown before the document is looked at. Never a verdict on a document. */
export class PolicyConfigurationError extends NitroEnclavesError<PolicyConfigurationErrorCode> {}

/** Refuses the evidence. */
export const refuse: Refuse<AttestationErrorCode> = refuseWith(AttestationError);

/** Refuses a genuine document. */
export const refuseByPolicy: Refuse<PolicyErrorCode> = refuseWith(PolicyError);

/** Refuses a policy; `path` is that of the option. */
export const refusePolicy: Refuse<PolicyConfigurationErrorCode> = refuseWith(PolicyConfigurationError);

type DecoderError = NitroEnclavesError<CborErrorCode | CertificateErrorCode | CoseErrorCode | DerErrorCode>;

/** Runs `body`; what the decoders below throw becomes an {@link AttestationError} of the same code, at `path`. */
export function at<T>(path: string, body: () => T): T {
  try {
    return body();
  } catch (cause) {
    if (!(cause instanceof NitroEnclavesError) || cause instanceof AttestationError) throw cause;
    // Of all errors of this SDK, only those of core's decoders come here beside our own.
    const { code, message, offset } = cause as DecoderError;
    throw new AttestationError(code, `${path}: ${message}`, { cause, path, offset });
  }
}
