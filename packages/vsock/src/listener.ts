import type { VsockAddress } from './address.ts';
import type { Endpoints, VsockSocket } from './socket.ts';

/** A connection that has arrived and is not yet anybody's: exactly one of the two must be called, at once. */
export interface Arrival extends Endpoints {
  accept(): VsockSocket;
  refuse(): void;
}

/** What an open listener tells the server. */
export interface ListenerEvents {
  arrival(arrival: Arrival): void;
  error(error: Error): void;
}

/** What a transport gives the server: a bound port. */
export interface Listener {
  readonly address: VsockAddress;
  /** Frees the port; resolves when another listener can have it. No arrival is reported afterwards. */
  close(): Promise<void>;
  ref(): void;
  unref(): void;
}

/** All that is wanted of a listener. */
export interface ListenRequest extends VsockAddress {
  readonly backlog: number;
  readonly allowHalfOpen: boolean;
}

/** How a transport opens a listener. */
export type OpenListener = (request: ListenRequest, events: ListenerEvents) => Promise<Listener>;
