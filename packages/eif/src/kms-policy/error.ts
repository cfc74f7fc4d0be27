import { NitroEnclavesError } from '@nitro-enclaves/core';

/** Why a statement of a KMS key policy would not do what it seems to. */
export type KmsPolicyErrorCode =
  | 'KMS_POLICY_ZERO_PCR'
  | 'KMS_POLICY_NO_PCR'
  | 'KMS_POLICY_PCR'
  | 'KMS_POLICY_PRINCIPAL'
  | 'KMS_POLICY_ACTION'
  | 'KMS_POLICY_SID';

/** What was asked for makes no safe statement of a KMS key policy; `code` says why. */
export class KmsPolicyError extends NitroEnclavesError<KmsPolicyErrorCode> {}

/** Throws a {@link KmsPolicyError}. */
export function failPolicy(code: KmsPolicyErrorCode, message: string): never {
  throw new KmsPolicyError(code, message);
}
