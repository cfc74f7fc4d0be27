import { NitroEnclavesError } from '@nitro-enclaves/core';

/** Why an answer of KMS was refused, or a call was not even made. */
export type KmsRecipientErrorCode =
  | 'RECIPIENT_ALREADY_SET'
  | 'KEY_NOT_PINNED'
  | 'ATTESTATION_FAILED'
  | 'ANSWER_NOT_SEALED'
  | 'ANSWER_KEY_MISMATCH'
  | 'ANSWER_LENGTH'
  | 'ANSWER_KEY_PAIR'
  | 'ENVELOPE_REFUSED';

/**
 * The call was not made as an attested one, or its answer is not what was asked for. Nothing of the answer is released.
 * Not retried by the SDK: the same answer would come again, or somebody is tampering.
 */
export class KmsRecipientError extends NitroEnclavesError<KmsRecipientErrorCode> {}

/** Why there is no way to KMS, or to the parent's credentials. */
export type KmsTransportErrorCode =
  | 'PLAINTEXT_REFUSED'
  | 'CREDENTIALS_UNAVAILABLE'
  | 'CREDENTIALS_REFUSED'
  | 'CREDENTIALS_MALFORMED';

/** KMS, or the parent's credential server, could not be reached, or not be trusted. */
export class KmsTransportError extends NitroEnclavesError<KmsTransportErrorCode> {}

/** Why data was not encrypted or decrypted. */
export type DataErrorCode = 'CONTEXT_FIELD_MISSING' | 'CONTEXT_MISMATCH' | 'PLAINTEXT_LENGTH' | 'MESSAGE_REFUSED';

/** Data could not be encrypted, or a message is not one that this enclave may open. No plaintext of it is released. */
export class DataError extends NitroEnclavesError<DataErrorCode> {}
