import { AsyncResource } from 'node:async_hooks';
import { EventEmitter } from 'node:events';
import type { VsockAddress } from './address.ts';
import { expectListenable, expectPeer, VMADDR_CID_ANY } from './address.ts';
import { errorCode } from './error.ts';
import type { Arrival, Listener, OpenListener } from './listener.ts';
import { expectInteger, LONGEST_TIMEOUT_MS } from './range.ts';
import type { VsockSocket } from './socket.ts';
import type { VsockDrop, VsockListenOptions, VsockServer, VsockServerEvents, VsockServerOptions } from './transport.ts';

const DEFAULT_BACKLOG = 511;
/** What the kernel says when the process, or the machine, has no descriptor or no memory left. */
const EXHAUSTED: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'ENOBUFS']);
const DEFAULT_DRAIN_TIMEOUT_MS = 5000;
/** The kernel takes it as an `int`. */
const MOST_BACKLOG = 2 ** 31 - 1;

function serverError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

/** A CID or a limit that is none would never be equal, and never be reached. */
function allowed(cids: Iterable<number> | undefined): ReadonlySet<number> | undefined {
  if (cids === undefined) return undefined;
  const set = new Set(cids);
  for (const cid of set) expectPeer(cid);
  return set;
}

/** The one server of all transports: whom to let in, how many, and how to stop; how to listen is the transport's part. */
export class ConnectionServer extends EventEmitter<VsockServerEvents> implements VsockServer {
  readonly #open: OpenListener;
  readonly #allowedCids: ReadonlySet<number> | undefined;
  readonly #allowHalfOpen: boolean;
  readonly #sockets = new Set<VsockSocket>();
  #maxConnections: number | undefined;
  #state: 'idle' | 'opening' | 'listening' | 'closing' = 'idle';
  #listener: Listener | undefined;
  #referenced = true;
  #stopWatchingSignal = (): void => {};

  constructor(open: OpenListener, options: VsockServerOptions, handler?: (socket: VsockSocket) => void) {
    super();
    this.#open = open;
    this.#allowedCids = allowed(options.allowedCids);
    this.#allowHalfOpen = options.allowHalfOpen ?? false;
    this.maxConnections = options.maxConnections;
    if (handler !== undefined) this.on('connection', handler);
  }

  get maxConnections(): number | undefined {
    return this.#maxConnections;
  }

  set maxConnections(count: number | undefined) {
    if (count !== undefined && count !== Number.POSITIVE_INFINITY) {
      expectInteger('maxConnections', count, 0, Number.MAX_SAFE_INTEGER);
    }
    this.#maxConnections = count;
  }

  get listening(): boolean {
    return this.#state === 'listening';
  }

  async listen({ port, cid = VMADDR_CID_ANY, backlog = DEFAULT_BACKLOG, signal }: VsockListenOptions): Promise<this> {
    expectListenable({ cid, port });
    expectInteger('backlog', backlog, 0, MOST_BACKLOG);
    if (this.#state !== 'idle') {
      throw serverError('ERR_SERVER_ALREADY_LISTEN', 'expected a server that does not listen: close it first');
    }
    this.#state = 'opening';
    await this.#start({ port, cid, backlog });
    this.#watchSignal(signal);
    return this;
  }

  address(): VsockAddress | null {
    return this.#listener?.address ?? null;
  }

  getConnections(callback: (error: Error | null, count: number) => void): this {
    process.nextTick(callback, null, this.#sockets.size);
    return this;
  }

  close(callback?: (error?: Error) => void): this {
    if (this.#state === 'idle') {
      if (callback !== undefined) {
        process.nextTick(callback, serverError('ERR_SERVER_NOT_RUNNING', 'expected a server that listens'));
      }
      return this;
    }
    if (callback !== undefined) this.once('close', () => callback());
    if (this.#state === 'listening') this.#stop();
    this.#state = 'closing';
    return this;
  }

  async drain({ timeout = DEFAULT_DRAIN_TIMEOUT_MS }: { timeout?: number } = {}): Promise<void> {
    expectInteger('timeout', timeout, 0, LONGEST_TIMEOUT_MS);
    if (this.#state === 'idle') return;
    const deadline = setTimeout(() => this.#destroySockets(), timeout);
    await new Promise<void>((resolve) => this.close(() => resolve()));
    clearTimeout(deadline);
  }

  ref(): this {
    this.#referenced = true;
    this.#listener?.ref();
    return this;
  }

  unref(): this {
    this.#referenced = false;
    this.#listener?.unref();
    return this;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.drain();
  }

  async #start(address: { port: number; cid: number; backlog: number }): Promise<void> {
    const context = new AsyncResource('VSOCKSERVER');
    try {
      this.#listener = await this.#open(
        { ...address, allowHalfOpen: this.#allowHalfOpen },
        {
          // As in net.Server, connections arrive in the async context of whoever listens, not of whoever came before.
          arrival: (arrival) => context.runInAsyncScope(() => this.#admit(arrival)),
          error: (error) => this.emit('error', error),
        },
      );
    } catch (error) {
      const closing = this.#closeRequested();
      this.#state = 'idle';
      if (closing) this.emit('close');
      throw error;
    }
    if (!this.#referenced) this.#listener.unref();
    if (this.#closeRequested()) return this.#stop();
    this.#state = 'listening';
    this.emit('listening');
  }

  /** Whether `close` was called since the listener began to open. */
  #closeRequested(): boolean {
    return this.#state === 'closing';
  }

  #watchSignal(signal: AbortSignal | undefined): void {
    // Closed meanwhile, it has no listener to be closed; and the next one is none of this signal's.
    if (signal === undefined || !this.listening) return;
    const close = (): void => {
      this.close();
    };
    if (signal.aborted) {
      close();
      return;
    }
    signal.addEventListener('abort', close, { once: true });
    this.#stopWatchingSignal = () => signal.removeEventListener('abort', close);
  }

  #admit(arrival: Arrival): void {
    if (this.#state !== 'listening') {
      arrival.refuse();
      return;
    }
    const reason = this.#reasonToRefuse(arrival);
    if (reason !== undefined) {
      arrival.refuse();
      this.emit('drop', describeDrop(arrival, reason));
      return;
    }
    const socket = this.#accept(arrival);
    if (socket === undefined) return;
    this.#sockets.add(socket);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      this.#finishClosing();
    });
    this.emit('connection', socket);
  }

  /** A process without a descriptor to spare turns the connection away and lives on. */
  #accept(arrival: Arrival): VsockSocket | undefined {
    try {
      return arrival.accept();
    } catch (error) {
      if (!EXHAUSTED.has(errorCode(error) ?? '')) throw error;
      this.emit('drop', describeDrop(arrival, 'too-many-connections'));
      return undefined;
    }
  }

  #reasonToRefuse({ remote }: Arrival): VsockDrop['reason'] | undefined {
    if (this.#allowedCids !== undefined && !this.#allowedCids.has(remote.cid)) return 'cid-not-allowed';
    if (this.#maxConnections !== undefined && this.#sockets.size >= this.#maxConnections) return 'too-many-connections';
    return undefined;
  }

  #stop(): void {
    this.#state = 'closing';
    this.#stopWatchingSignal();
    this.#stopWatchingSignal = () => {};
    const released = () => {
      this.#listener = undefined;
      this.#finishClosing();
    };
    this.#listener?.close().then(released, released);
  }

  #destroySockets(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #finishClosing(): void {
    if (this.#state !== 'closing' || this.#listener !== undefined || this.#sockets.size > 0) return;
    this.#state = 'idle';
    this.emit('close');
  }
}

function describeDrop({ remote, local }: Arrival, reason: VsockDrop['reason']): VsockDrop {
  return {
    remoteCid: remote.cid,
    remotePort: remote.port,
    localCid: local.cid,
    localPort: local.port,
    reason,
  };
}
