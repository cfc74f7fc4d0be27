import { NitroEnclavesError } from '@nitro-enclaves/core';

/** Why a bundle did not become the identity of the server. */
export type TlsServerErrorCode =
  | 'BUNDLE_MALFORMED'
  | 'BUNDLE_UNAVAILABLE'
  | 'CERTIFICATE_KEY'
  | 'CERTIFICATE_HOST'
  | 'CERTIFICATE_TIME'
  | 'CERTIFICATE_CHAIN'
  | 'CERTIFICATE_OLDER';

/** A bundle was not taken; what was served before is served on. */
export class TlsServerError extends NitroEnclavesError<TlsServerErrorCode> {}
