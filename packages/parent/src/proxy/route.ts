import type { AllowEntry } from './allow-list.ts';

/** Where a route leads out to. */
export type WorldDestination =
  /** One host: what TLS or anything else is inside goes there. */
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  /** The host that each TLS ClientHello names, on one port. */
  | { readonly kind: 'sni'; readonly port: number }
  /** The host and port that each HTTP CONNECT request names. */
  | { readonly kind: 'connect' }
  /** A service of this instance. */
  | { readonly kind: 'unix'; readonly path: string };

/** Enclaves connect to a vsock port, and reach what the allow-list lets them. */
export interface EgressRoute {
  readonly direction: 'egress';
  /** In logs and metrics. */
  readonly name: string;
  readonly vsockPort: number;
  readonly to: WorldDestination;
  /** Beside the service's own allow-list. */
  readonly allow: readonly AllowEntry[];
  /** Enclaves that may use the route. Default: all. */
  readonly cids: readonly number[] | undefined;
}

/** Where a route takes connections from the world. */
export type WorldListener =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string }
  /** A listening socket that systemd passed on, by its name (`FileDescriptorName=`). */
  | { readonly kind: 'systemd'; readonly name: string };

/** The world connects to a port or socket of this instance, and reaches one port of one enclave. */
export interface IngressRoute {
  readonly direction: 'ingress';
  readonly name: string;
  readonly from: WorldListener;
  readonly cid: number;
  readonly port: number;
  /** Version of the PROXY protocol by which the enclave is told who connected. Default: it is not. */
  readonly proxyProtocol: 1 | 2 | undefined;
}

/** One way in or out. */
export type Route = EgressRoute | IngressRoute;

/** Bounds of every connection; ms, or numbers of connections. */
export interface ProxyLimits {
  /** Longest for resolving and connecting, and for what an enclave has to say first (ClientHello, CONNECT). */
  readonly connectTimeout: number;
  /** Longest without a byte in either direction. */
  readonly idleTimeout: number;
  /** Most connections of one route; further ones are refused at once. */
  readonly maxConnections: number;
  /** Most connections of one enclave on one route. */
  readonly maxConnectionsPerCid: number;
}

/** Bounds where nothing else is said. */
export const DEFAULT_LIMITS: ProxyLimits = {
  connectTimeout: 5000,
  idleTimeout: 600_000,
  maxConnections: 4096,
  maxConnectionsPerCid: 2048,
};

/** What a route listens on: what stays when a configuration is read again although the rest of the route changed. */
export function listenKey(route: Route): string {
  if (route.direction === 'egress') return `vsock:${route.vsockPort}`;
  const { from } = route;
  if (from.kind === 'tcp') return `tcp:${from.host}:${from.port}`;
  return from.kind === 'unix' ? `unix:${from.path}` : `systemd:${from.name}`;
}
