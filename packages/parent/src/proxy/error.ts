import { NitroEnclavesError } from '@nitro-enclaves/core';

/** Why a connection was not relayed, or a proxy not started. */
export type ProxyErrorCode =
  | 'TARGET_NOT_ALLOWED'
  | 'ADDRESS_NOT_ALLOWED'
  | 'NAME_NOT_RESOLVED'
  | 'CONNECT_FAILED'
  | 'CONNECT_TIMEOUT'
  | 'CLIENT_HELLO_REFUSED'
  | 'CONNECT_REQUEST_REFUSED'
  | 'CONFIG_INVALID';

/** A connection was refused, or a configuration. Concerns that one connection only. */
export class ProxyError extends NitroEnclavesError<ProxyErrorCode> {}
