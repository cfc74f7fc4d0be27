import type { EventEmitter } from 'node:events';
import type { VsockAddress } from './address.ts';
import type { VsockSocket } from './socket.ts';

/** Where to connect to, and for how long to try. */
export interface VsockConnectOptions extends VsockAddress {
  /** Gives up connecting; the promise rejects with an `AbortError`. It has no effect on an established connection. */
  signal?: AbortSignal | undefined;
  /** Most milliseconds to wait for the connection; then `ETIMEDOUT`. Default 10 000. */
  timeout?: number | undefined;
  /** As in `net.Socket`: false (the default) ends our side when the other side ends. */
  allowHalfOpen?: boolean | undefined;
}

/** Whom a server serves, and how many at a time. */
export interface VsockServerOptions {
  /** CIDs that may connect. All others are disconnected before the application sees them. Default: every CID. */
  allowedCids?: Iterable<number> | undefined;
  /** Most connections at a time; further ones are dropped, as in `net.Server`. Default: no limit. */
  maxConnections?: number | undefined;
  /** As in `net.Server`: false (the default) ends our side when the other side ends. */
  allowHalfOpen?: boolean | undefined;
}

/** What to listen on. */
export interface VsockListenOptions {
  /** The port; 0 or `VMADDR_PORT_ANY` for one of the kernel's choice. */
  port: number;
  /** Local CID to answer on. Default `VMADDR_CID_ANY`. */
  cid?: number | undefined;
  /** Longest queue of connections nobody accepted yet. Default 511, as in Node. */
  backlog?: number | undefined;
  /** Closes the server when aborted. */
  signal?: AbortSignal | undefined;
}

/** Why a connection was turned away. */
export interface VsockDrop {
  readonly remoteCid: number;
  readonly remotePort: number;
  readonly localCid: number;
  readonly localPort: number;
  /** `allowedCids` does not list the peer; or `maxConnections` was reached, or no descriptor is left. */
  readonly reason: 'cid-not-allowed' | 'too-many-connections';
}

/** Events of a server: those of `net.Server`. */
export interface VsockServerEvents {
  listening: [];
  connection: [socket: VsockSocket];
  drop: [drop: VsockDrop];
  close: [];
  error: [error: Error];
}

/** A server with the contract of `net.Server`, for vsock addresses. */
export interface VsockServer extends EventEmitter<VsockServerEvents> {
  /** Whether it accepts connections. */
  readonly listening: boolean;
  /** Most connections at a time; may be changed while listening. `undefined`: no limit. */
  maxConnections: number | undefined;
  /**
   * Starts to accept connections; resolves to this server when it does.
   * @throws {VsockError} `EADDRINUSE` when the port is taken, `EADDRNOTAVAIL` when the CID is not ours, `EACCES` below
   * port 1024 without the capability. A failed `listen` rejects and emits nothing.
   */
  listen(options: VsockListenOptions): Promise<VsockServer>;
  /** The address listened on, or `null`. */
  address(): VsockAddress | null;
  /** Calls back with the number of connections. */
  getConnections(callback: (error: Error | null, count: number) => void): this;
  /** Stops accepting. Emits `close`, and calls back, when the last connection has ended by itself. */
  close(callback?: (error?: Error) => void): this;
  /** Stops accepting, waits up to `timeout` ms (default 5000) for connections to end, then destroys what is left. */
  drain(options?: { timeout?: number }): Promise<void>;
  /** Lets this server keep the process alive (the default). */
  ref(): this;
  /** Lets the process end although this server listens. */
  unref(): this;
  /** The same as `drain()`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** The door between an application and the place it runs in: real AF_VSOCK, or a folder of Unix sockets. */
export interface Transport {
  /** CID of this machine as its own kernel reports it. */
  readonly localCid: number;
  /**
   * Connects to a listener.
   * @throws {VsockError} `ECONNREFUSED` nobody listens there, `ETIMEDOUT` no answer in time, `ENODEV` no way to that CID.
   * @throws {Error} `AbortError` when `signal` is aborted.
   * @throws {RangeError} when the address is none.
   */
  connect(options: VsockConnectOptions): Promise<VsockSocket>;
  /** Makes a server; it listens once told to. `handler` is its first `connection` listener. */
  createServer(options?: VsockServerOptions, handler?: (socket: VsockSocket) => void): VsockServer;
}
