import { NitroEnclavesError } from '@nitro-enclaves/core';

/** Why an emulated KMS could not be started, or not be asked. */
export type EmulatedKmsErrorCode = 'KMS_OPTION' | 'KMS_PRINCIPAL' | 'KMS_STORE_UNUSABLE' | 'KMS_STORE_IN_USE';

/** The emulated KMS was set up wrongly, or its store cannot be used. Never an answer of KMS: those go over the wire. */
export class EmulatedKmsError extends NitroEnclavesError<EmulatedKmsErrorCode> {}

/** Why a policy document is none. */
export type KeyPolicyErrorCode =
  | 'POLICY_NOT_JSON'
  | 'POLICY_ELEMENT'
  | 'POLICY_STATEMENT'
  | 'POLICY_PRINCIPAL'
  | 'POLICY_ACTION'
  | 'POLICY_RESOURCE'
  | 'POLICY_CONDITION_OPERATOR'
  | 'POLICY_CONDITION_VALUE';

/** A policy document does not have the form that IAM demands. `path` says where, such as `$.Statement[1].Condition`. */
export class KeyPolicyError extends NitroEnclavesError<KeyPolicyErrorCode> {}
