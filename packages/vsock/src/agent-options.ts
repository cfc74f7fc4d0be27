import type { VsockAddress } from './address.ts';
import { expectDestination } from './address.ts';
import { connectTimeout as expectTimeout } from './attempt.ts';
import type { Transport } from './transport.ts';
import { vsockTransport } from './vsock-transport.ts';

/** Where all connections of an agent go, whatever host its requests name. */
export interface VsockDestination extends VsockAddress {
  /** The way there. Default: `vsockTransport()`. */
  transport?: Transport | undefined;
  /** Most milliseconds to wait for a connection. Default 10 000. */
  connectTimeout?: number | undefined;
}

/** A destination that has been looked at. */
export interface Destination extends VsockAddress {
  readonly transport: Transport;
  readonly timeout: number | undefined;
}

/** Checks a destination once, so that a mistake is not first met by the first request. */
export function resolveDestination({ cid, port, transport, connectTimeout }: VsockDestination): Destination {
  expectDestination({ cid, port });
  expectTimeout({ timeout: connectTimeout });
  return { cid, port, transport: transport ?? vsockTransport(), timeout: connectTimeout };
}
