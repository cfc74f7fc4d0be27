import { setTimeout as sleep } from 'node:timers/promises';
import type { Transport } from '@nitro-enclaves/vsock';
import type { Registry } from 'prom-client';
import type { AllowEntry } from './allow-list.ts';
import { AllowList } from './allow-list.ts';
import type { AddressFamily } from './dial.ts';
import type { ProxyLog } from './observer.ts';
import { ProxyObserver } from './observer.ts';
import type { RelayBy } from './relay.ts';
import type { Resolver } from './resolver.ts';
import { CachingResolver, systemResolver } from './resolver.ts';
import type { ProxyLimits, Route } from './route.ts';
import { DEFAULT_LIMITS, listenKey } from './route.ts';
import type { RouteContext, RouteSettings } from './route-server.ts';
import { RouteServer } from './route-server.ts';

/** What a proxy does: its routes, and the targets that they may lead to. */
export interface ProxyConfig {
  readonly routes: readonly Route[];
  /** For every route. */
  readonly allowList: readonly AllowEntry[];
  readonly limits?: Partial<ProxyLimits>;
  /** Use only IPv4 or only IPv6. Default: both, in the system's order. */
  readonly family?: AddressFamily;
}

/** Options of {@link ProxyService}. */
export interface ProxyServiceOptions {
  readonly transport: Transport;
  readonly config: ProxyConfig;
  /** Default: the system's. */
  readonly resolver?: Resolver;
  readonly log?: ProxyLog;
  /** Listening sockets of systemd by their names; see `systemdSockets`. */
  readonly systemdSockets?: ReadonlyMap<string, number>;
  /** Default `addon`: where there is none for this machine, and for what it cannot take, it is `streams` all the same. */
  readonly relayBy?: RelayBy;
}

const DRAIN_POLL_MS = 20;

/** Many routes in one process: started, reloaded and drained together. */
export class ProxyService {
  readonly #observer: ProxyObserver;
  readonly #context: RouteContext;
  readonly #resolver: Resolver;
  readonly #servers = new Map<string, RouteServer>();
  /** Routes that are gone, whose connections are not. */
  readonly #retired = new Set<RouteServer>();
  #config: ProxyConfig;
  #state: 'stopped' | 'serving' | 'draining' = 'stopped';

  /** @throws {ProxyError} `CONFIG_INVALID` */
  constructor(options: ProxyServiceOptions) {
    const { transport, config, resolver, log = () => undefined, systemdSockets, relayBy = 'addon' } = options;
    this.#observer = new ProxyObserver(log);
    this.#context = { transport, observer: this.#observer, relayBy, systemdSockets: new Map(systemdSockets) };
    this.#resolver = resolver ?? systemResolver();
    this.#config = config;
    this.#settingsOf(config);
  }

  /** Metrics for Prometheus. */
  get metrics(): Registry {
    return this.#observer.registry;
  }

  /** Whether every route listens and none is being drained: what a health check asks. */
  get isServing(): boolean {
    return this.#state === 'serving';
  }

  /** Connections under way. */
  get openConnections(): number {
    return [...this.#servers.values(), ...this.#retired].reduce((sum, { open }) => sum + open, 0);
  }

  /**
   * Starts every route; when one cannot be started, none is.
   * @throws {ProxyError} `CONFIG_INVALID`. @throws {VsockError} and system errors of `listen`, such as `EADDRINUSE`.
   */
  async start(): Promise<void> {
    await this.#apply(this.#config);
    this.#state = 'serving';
  }

  /**
   * Takes another configuration: routes that listen where one listened before keep their listener and all their
   * connections, new ones are started, gone ones stop listening and let their connections end by themselves. When anything
   * fails, everything stays as it was.
   * @throws {ProxyError} `CONFIG_INVALID`, and as `start()`.
   */
  async reload(config: ProxyConfig): Promise<void> {
    await this.#apply(config);
    this.#config = config;
    this.#observer.service({ event: 'reloaded', detail: `${config.routes.length} routes` });
  }

  /** Stops listening, waits up to `timeout` ms (default 30 000) for connections to end, then breaks off the rest. */
  async drain({ timeout = 30_000 }: { timeout?: number } = {}): Promise<void> {
    this.#state = 'draining';
    this.#observer.service({ event: 'draining', detail: `${this.openConnections} connections` });
    for (const server of this.#servers.values()) server.close();
    const deadline = performance.now() + timeout;
    while (this.openConnections > 0 && performance.now() < deadline) await sleep(DRAIN_POLL_MS);
    for (const server of [...this.#servers.values(), ...this.#retired]) server.destroy();
    this.#state = 'stopped';
    this.#observer.service({ event: 'stopped' });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain({ timeout: 0 });
  }

  #settingsOf({ routes, allowList, limits, family }: ProxyConfig): Map<string, RouteSettings> {
    const all = { ...DEFAULT_LIMITS, ...limits };
    const resolver = new CachingResolver(this.#resolver, all.connectTimeout);
    return new Map(
      routes.map((route) => {
        const own = route.direction === 'egress' ? route.allow : [];
        const dial = {
          allowList: new AllowList([...allowList, ...own]),
          resolver,
          connectTimeout: all.connectTimeout,
          family,
        };
        return [listenKey(route), { route, limits: all, dial }];
      }),
    );
  }

  async #apply(config: ProxyConfig): Promise<void> {
    const settings = this.#settingsOf(config);
    const started = await this.#startNew(settings);
    for (const [key, server] of this.#servers) {
      const kept = settings.get(key);
      if (kept === undefined) this.#retire(key, server);
      else server.update(kept);
    }
    for (const [key, server] of started) this.#servers.set(key, server);
  }

  async #startNew(settings: ReadonlyMap<string, RouteSettings>): Promise<Map<string, RouteServer>> {
    const started = new Map<string, RouteServer>();
    try {
      for (const [key, one] of settings) {
        if (this.#servers.has(key)) continue;
        const server = new RouteServer(one, this.#context);
        await server.listen();
        started.set(key, server);
        this.#observer.service({ event: 'listening', route: server.name, detail: key });
      }
      return started;
    } catch (error) {
      for (const server of started.values()) server.close();
      throw error;
    }
  }

  #retire(key: string, server: RouteServer): void {
    for (const gone of this.#retired) if (gone.open === 0) this.#retired.delete(gone);
    server.close();
    this.#servers.delete(key);
    if (server.open > 0) this.#retired.add(server);
    this.#observer.service({ event: 'removed', route: server.name, detail: `${server.open} connections go on` });
  }
}
