import type { Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import type { Transport, VsockServer, VsockSocket } from '@nitro-enclaves/vsock';
import { ConnectionCount } from './connection-count.ts';
import type { DialOptions } from './dial.ts';
import { openEgress } from './egress.ts';
import { ProxyError } from './error.ts';
import type { ConnectionObserver, ProxyObserver } from './observer.ts';
import { encodeProxyV1, encodeProxyV2 } from './proxy-protocol.ts';
import type { RelayBy } from './relay.ts';
import { relay } from './relay.ts';
import type { EgressRoute, IngressRoute, ProxyLimits, Route, WorldListener } from './route.ts';

/** What a route's connections are served by; replaced as a whole when a configuration is read again. */
export interface RouteSettings {
  readonly route: Route;
  readonly limits: ProxyLimits;
  readonly dial: DialOptions;
}

/** What all routes share. */
export interface RouteContext {
  readonly transport: Transport;
  readonly observer: ProxyObserver;
  readonly relayBy: RelayBy;
  /** Descriptors of listening sockets that systemd passed on, by name. Whoever listens takes one out, and closes it in the end. */
  readonly systemdSockets: Map<string, number>;
}

const BACKLOG = 1024;

/** One listener with its connections. Settings may change while it listens: connections under way keep theirs. */
export class RouteServer {
  readonly #context: RouteContext;
  readonly #count = new ConnectionCount();
  readonly #sockets = new Set<Socket>();
  #settings: RouteSettings;
  #server: VsockServer | Server | undefined;

  constructor(settings: RouteSettings, context: RouteContext) {
    this.#settings = settings;
    this.#context = context;
  }

  get name(): string {
    return this.#settings.route.name;
  }

  /** Connections under way. */
  get open(): number {
    return this.#count.total;
  }

  /** New connections are served by these from now on. */
  update(settings: RouteSettings): void {
    this.#settings = settings;
  }

  async listen(): Promise<void> {
    const { route } = this.#settings;
    if (route.direction === 'ingress') {
      this.#server = await this.#listenToWorld(route.from);
      return;
    }
    const server = this.#context.transport.createServer({ allowHalfOpen: true }, (socket) =>
      this.#admitEnclave(socket),
    );
    await server.listen({ port: route.vsockPort, backlog: BACKLOG });
    this.#server = server;
  }

  /** Stops listening; connections go on. */
  close(): void {
    this.#server?.close();
  }

  /** Breaks off every connection. */
  destroy(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #listenToWorld(from: WorldListener): Promise<Server> {
    const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket) =>
      this.#admitWorld(socket),
    );
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#listenOptions(from), () => {
        server.off('error', reject);
        resolve(server);
      });
    });
  }

  #listenOptions(
    from: WorldListener,
  ): { fd: number } | { path: string } | { host: string; port: number; backlog: number } {
    if (from.kind === 'tcp') return { host: from.host, port: from.port, backlog: BACKLOG };
    if (from.kind === 'unix') return { path: from.path };
    const fd = this.#context.systemdSockets.get(from.name);
    // Its number may be another descriptor's once its route is gone.
    this.#context.systemdSockets.delete(from.name);
    if (fd !== undefined) return { fd };
    throw new ProxyError(
      'CONFIG_INVALID',
      `expected systemd to pass on a socket named ${from.name} (FileDescriptorName=), found none: was its route removed before, restart`,
    );
  }

  #admitEnclave(socket: VsockSocket): void {
    const { route } = this.#settings;
    if (route.direction !== 'egress') return;
    const { remoteCid } = socket;
    if (route.cids !== undefined && !route.cids.includes(remoteCid)) this.#refuse(socket, remoteCid, 'CID not allowed');
    else this.#admit(socket, remoteCid, (settings, observed) => this.#serveEnclave(socket, route, settings, observed));
  }

  #admitWorld(socket: Socket): void {
    const { route } = this.#settings;
    if (route.direction !== 'ingress') return;
    this.#admit(socket, route.cid, (settings, observed) => this.#serveWorld(socket, route, settings, observed));
  }

  #refuse(socket: Socket, cid: number, reason: string): void {
    socket.destroy();
    this.#context.observer.refuse(this.name, cid, reason);
  }

  #admit(
    socket: Socket,
    cid: number,
    serve: (settings: RouteSettings, observed: ConnectionObserver) => Promise<void>,
  ): void {
    const settings = this.#settings;
    const reached = this.#count.enter(cid, settings.limits);
    if (reached !== undefined) {
      this.#refuse(socket, cid, reached);
      return;
    }
    const observed = this.#context.observer.arrive(settings.route.name, cid);
    this.#sockets.add(socket);
    // Without a listener, a peer that resets before it is relayed would end the process.
    socket.on('error', () => undefined);
    serve(settings, observed)
      .catch((error: unknown) => {
        observed.failed(error);
        return closed(socket, settings.limits.connectTimeout);
      })
      .finally(() => {
        this.#sockets.delete(socket);
        this.#count.leave(cid);
      });
  }

  async #serveEnclave(
    socket: VsockSocket,
    { to }: EgressRoute,
    { limits, dial }: RouteSettings,
    observed: ConnectionObserver,
  ): Promise<void> {
    const { target, upstream } = await openEgress(socket, to, dial);
    observed.connected();
    observed.ended(target, await relay(socket, upstream, limits.idleTimeout, this.#context.relayBy));
  }

  async #serveWorld(
    socket: Socket,
    { cid, port, proxyProtocol }: IngressRoute,
    { limits }: RouteSettings,
    observed: ConnectionObserver,
  ): Promise<void> {
    const timeout = limits.connectTimeout;
    const enclave = await this.#context.transport.connect({ cid, port, timeout, allowHalfOpen: true });
    if (proxyProtocol === 1) enclave.write(encodeProxyV1(socket));
    if (proxyProtocol === 2) enclave.write(encodeProxyV2(socket));
    observed.connected();
    observed.ended(`vm(${cid}):${port}`, await relay(socket, enclave, limits.idleTimeout, this.#context.relayBy));
  }
}

/**
 * Ends a connection that is not relayed. Where the peer was answered, it has `timeout` ms to read that and to end; it is
 * counted until then, so that no enclave can keep more connections open by having them refused.
 */
async function closed(socket: Socket, timeout: number): Promise<void> {
  if (!socket.writableEnded) socket.destroy();
  if (socket.destroyed) return;
  const timer = setTimeout(() => socket.destroy(), timeout);
  await new Promise((resolve) => socket.resume().once('close', resolve));
  clearTimeout(timer);
}
