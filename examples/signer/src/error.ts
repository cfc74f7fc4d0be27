import { NitroEnclavesError } from '@nitro-enclaves/core';

/** Why a request was refused, or a trail is not what the enclave wrote. */
export type SignerErrorCode =
  | 'REQUEST_MALFORMED'
  | 'ROUTE_UNKNOWN'
  | 'PURPOSE_REFUSED'
  | 'KEY_NOT_OPEN'
  | 'TRAIL_MISSING'
  | 'TRAIL_SEQUENCE'
  | 'TRAIL_LINK'
  | 'TRAIL_SEAL'
  | 'TRAIL_HEAD'
  | 'SIGNATURE';

/** The signer, or who verifies it, refused. */
export class SignerError extends NitroEnclavesError<SignerErrorCode> {}
