import { EventEmitter } from 'node:events';
import type {
  Transport,
  VsockAddress,
  VsockConnectOptions,
  VsockListenOptions,
  VsockServer,
  VsockServerEvents,
  VsockServerOptions,
  VsockSocket,
} from '@nitro-enclaves/vsock';
import type { FaultSchedule, TransportFault } from '../faults.ts';
import { faultySocket } from './faulty-socket.ts';

/** What faults are put between, and where. */
export interface FaultyTransportOptions {
  /** The parent's own transport. */
  readonly transport: Transport;
  readonly faults: FaultSchedule<TransportFault>;
  /** Folder for sockets of a moment. */
  readonly scratch: string;
}

/** A server whose connections suffer the faults of their port. */
class FaultyServer extends EventEmitter<VsockServerEvents> implements VsockServer {
  readonly #server: VsockServer;

  constructor({ faults, scratch, transport }: FaultyTransportOptions, options: VsockServerOptions) {
    super();
    // Half-open underneath: whether the application's own side is, its own socket decides.
    this.#server = transport.createServer({ ...options, allowHalfOpen: true }, (socket) => {
      const due = faults.due(({ port }) => port === undefined || port === socket.localPort);
      faultySocket(socket, due, { scratch, allowHalfOpen: options.allowHalfOpen ?? false }).then(
        (faulty) => this.emit('connection', faulty),
        (error: Error) => {
          socket.destroy();
          this.emit('error', error);
        },
      );
    });
    for (const event of ['listening', 'close'] as const) this.#server.on(event, () => this.emit(event));
    this.#server.on('drop', (drop) => this.emit('drop', drop));
    this.#server.on('error', (error) => this.emit('error', error));
  }

  get listening(): boolean {
    return this.#server.listening;
  }

  get maxConnections(): number | undefined {
    return this.#server.maxConnections;
  }

  set maxConnections(count: number | undefined) {
    this.#server.maxConnections = count;
  }

  async listen(options: VsockListenOptions): Promise<this> {
    await this.#server.listen(options);
    return this;
  }

  address(): VsockAddress | null {
    return this.#server.address();
  }

  getConnections(callback: (error: Error | null, count: number) => void): this {
    this.#server.getConnections(callback);
    return this;
  }

  close(callback?: (error?: Error) => void): this {
    this.#server.close(callback);
    return this;
  }

  drain(options?: { timeout?: number }): Promise<void> {
    return this.#server.drain(options);
  }

  ref(): this {
    this.#server.ref();
    return this;
  }

  unref(): this {
    this.#server.unref();
    return this;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.drain();
  }
}

/**
 * The transport of an adversarial parent: what it sends to enclaves and gets from them is delayed, cut short, dropped,
 * stalled, corrupted, swapped or replayed, as the schedule says when a connection begins.
 */
export function faultyTransport(options: FaultyTransportOptions): Transport {
  const { transport, faults, scratch } = options;
  return {
    localCid: transport.localCid,
    connect: async (target: VsockConnectOptions): Promise<VsockSocket> => {
      const due = faults.due(({ port }) => port === undefined || port === target.port);
      const { allowHalfOpen = false } = target;
      if (due.length === 0) return transport.connect(target);
      const socket = await transport.connect({ ...target, allowHalfOpen: true });
      const faulty = await faultySocket(socket, due, { scratch, allowHalfOpen });
      // What stalls passes on no end: that this side has given up, the enclave would never hear.
      if (due.some(({ fault }) => fault.kind === 'stall')) faulty.once('close', () => socket.destroy());
      return faulty;
    },
    createServer: (server: VsockServerOptions = {}, handler?: (socket: VsockSocket) => void): VsockServer => {
      const faulty = new FaultyServer(options, server);
      if (handler !== undefined) faulty.on('connection', handler);
      return faulty;
    },
  };
}
