import type { RelayOutcome } from '@nitro-enclaves/vsock/relay';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** One relayed or refused connection, as logs tell it: never a byte of what passed. */
export interface ConnectionEntry {
  readonly event: 'connection';
  readonly route: string;
  /** The enclave's CID. */
  readonly cid: number;
  /** Where it went or wanted to go, as far as that came to be known. */
  readonly target?: string;
  /** `closed`, `reset`, `idle`; `refused` by a limit; or the code of a `ProxyError` or system error. */
  readonly outcome: string;
  readonly detail?: string;
  /** From the side that connected, and back; bytes. */
  readonly bytesForward: number;
  readonly bytesBack: number;
  /** ms from the connection's arrival to its end. */
  readonly duration: number;
}

/** What happens to routes and the service. */
export interface ServiceEntry {
  readonly event: 'listening' | 'removed' | 'failed' | 'reloaded' | 'draining' | 'stopped';
  readonly route?: string;
  readonly detail?: string;
}

/** One line of the log. */
export type ProxyLogEntry = ConnectionEntry | ServiceEntry;
/** Receives log entries. */
export type ProxyLog = (entry: ProxyLogEntry) => void;

/** Sees every connection, for logs and Prometheus. */
export class ProxyObserver {
  readonly registry: Registry = new Registry();
  readonly #log: ProxyLog;
  readonly #open: Gauge<'route'>;
  readonly #ended: Counter<'route' | 'outcome'>;
  readonly #bytes: Counter<'route' | 'direction'>;
  readonly #connect: Histogram<'route'>;

  constructor(log: ProxyLog) {
    this.#log = log;
    const registers = [this.registry];
    this.#open = new Gauge({
      name: 'nitro_proxy_connections_open',
      help: 'Connections that are being relayed or connected',
      labelNames: ['route'],
      registers,
    });
    this.#ended = new Counter({
      name: 'nitro_proxy_connections_total',
      help: 'Connections that ended, by how',
      labelNames: ['route', 'outcome'],
      registers,
    });
    this.#bytes = new Counter({
      name: 'nitro_proxy_bytes_total',
      help: 'Bytes relayed; forward is away from the side that connected',
      labelNames: ['route', 'direction'],
      registers,
    });
    this.#connect = new Histogram({
      name: 'nitro_proxy_connect_seconds',
      help: 'Time from the arrival of a connection until its other side was connected',
      labelNames: ['route'],
      buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 5],
      registers,
    });
  }

  service(entry: ServiceEntry): void {
    this.#log(entry);
  }

  /** A connection of `route` arrived; the result follows it. */
  arrive(route: string, cid: number): ConnectionObserver {
    const startedAt = performance.now();
    this.#open.inc({ route });
    const end = (entry: Pick<ConnectionEntry, 'outcome' | 'target' | 'detail'>, bytes: readonly [number, number]) => {
      this.#open.dec({ route });
      this.#ended.inc({ route, outcome: entry.outcome });
      const [bytesForward, bytesBack] = bytes;
      this.#bytes.inc({ route, direction: 'forward' }, bytesForward);
      this.#bytes.inc({ route, direction: 'back' }, bytesBack);
      const duration = Math.round(performance.now() - startedAt);
      this.#log({ event: 'connection', route, cid, ...entry, bytesForward, bytesBack, duration });
    };
    return {
      connected: () => this.#connect.observe({ route }, (performance.now() - startedAt) / 1000),
      ended: (target, { end: outcome, bytesForward, bytesBack }) => end({ target, outcome }, [bytesForward, bytesBack]),
      failed: (error) => end(describeFailure(error), [0, 0]),
    };
  }

  /** A connection was turned away by a limit or a rule before it cost anything. */
  refuse(route: string, cid: number, detail: string): void {
    this.#ended.inc({ route, outcome: 'refused' });
    this.#log({
      event: 'connection',
      route,
      cid,
      outcome: 'refused',
      detail,
      bytesForward: 0,
      bytesBack: 0,
      duration: 0,
    });
  }
}

function describeFailure(error: unknown): Pick<ConnectionEntry, 'outcome' | 'detail'> {
  if (!(error instanceof Error)) return { outcome: 'failed' };
  const outcome = 'code' in error && typeof error.code === 'string' ? error.code : error.name;
  return { outcome, detail: error.message };
}

/** Follows one connection. */
export interface ConnectionObserver {
  connected(): void;
  ended(target: string, outcome: RelayOutcome): void;
  failed(error: unknown): void;
}
