import { isIP } from 'node:net';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { AllowList } from '../proxy/allow-list.ts';
import { ProxyError } from '../proxy/error.ts';
import type { ProxyConfig } from '../proxy/proxy-service.ts';
import type { EgressRoute, IngressRoute, Route, WorldListener } from '../proxy/route.ts';
import { listenKey } from '../proxy/route.ts';

const port = z.int().min(1).max(65_535);
const vsockPort = z.int().min(1).max(0xffff_fffe);
const enclaveCid = z.int().min(4).max(0xffff_fffe);
/** Node's timers take no more, and fire at once when they are given more. */
const MAX_TIMER_MS = 2_147_483_647;
const milliseconds = z.int().min(1).max(MAX_TIMER_MS);
/** What a union says where no branch of it is nearer to what was found than the others. */
const LISTENERS = 'expected {vsock}, {tcp}, {unix} or {systemd}';

const allowEntry = z.strictObject({
  address: z.string().min(1),
  port: z.union([port, z.literal('*')], 'expected a port from 1 to 65535 or "*"'),
  cids: z.array(enclaveCid).min(1).optional(),
  allowPrivate: z.boolean().optional(),
});

const egressRoute = z.strictObject({
  name: z.string().min(1),
  from: z.strictObject({ vsock: vsockPort, cids: z.array(enclaveCid).min(1).optional() }),
  to: z.union(
    [
      z.strictObject({ host: z.string().min(1), port }),
      z.strictObject({ sni: port }),
      z.strictObject({ connect: z.literal(true) }),
      z.strictObject({ unix: z.string().min(1) }),
    ],
    'expected {host, port}, {sni}, {connect: true} or {unix}',
  ),
  allow: z.array(allowEntry).optional(),
});

const ingressRoute = z.strictObject({
  name: z.string().min(1),
  from: z.union(
    [
      z.strictObject({ tcp: z.string().min(1) }),
      z.strictObject({ unix: z.string().min(1) }),
      z.strictObject({ systemd: z.string().min(1) }),
    ],
    LISTENERS,
  ),
  to: z.strictObject({
    cid: enclaveCid,
    port: vsockPort,
    proxyProtocol: z.union([z.literal(1), z.literal(2)], 'expected 1 or 2').optional(),
  }),
});

const schema = z.strictObject({
  allowlist: z.array(allowEntry).default([]),
  routes: z.array(z.union([egressRoute, ingressRoute], `${LISTENERS} to lead from`)).default([]),
  limits: z
    .strictObject({
      connectTimeout: milliseconds.optional(),
      idleTimeout: z.int().min(0).max(MAX_TIMER_MS).optional(),
      maxConnections: z.int().min(1).optional(),
      maxConnectionsPerCid: z.int().min(1).optional(),
    })
    .optional(),
  drainTimeout: z.int().min(0).default(30_000),
  metrics: z.string().min(1).optional(),
  credentials: z
    .strictObject({
      port: vsockPort.optional(),
      grants: z
        .array(
          z.strictObject({
            cid: z.union([enclaveCid, z.literal('any')], "expected an enclave's CID (4 to 4294967294) or any"),
            tokenFile: z.string().min(1),
          }),
        )
        .min(1),
    })
    .optional(),
  logs: z.strictObject({ port: vsockPort.optional(), cids: z.array(enclaveCid).min(1).optional() }).optional(),
});

/** The services of one parent instance, as one file states them. */
export interface ServiceConfig {
  readonly proxy: ProxyConfig;
  /** Longest for connections to end when the service stops, in ms. */
  readonly drainTimeout: number;
  /** Where metrics and the health check are served, by HTTP. */
  readonly metrics: { readonly host: string; readonly port: number } | undefined;
  readonly credentials:
    | { readonly port: number | undefined; readonly grants: readonly { cid: number | 'any'; tokenFile: string }[] }
    | undefined;
  readonly logs: { readonly port: number | undefined; readonly cids: readonly number[] | undefined } | undefined;
}

function invalid(file: string, found: string): ProxyError {
  return new ProxyError('CONFIG_INVALID', `${file}: ${found}`);
}

/** `127.0.0.1:9100`, `[::1]:9100`. */
function parseHostPort(text: string, file: string, where: string): { host: string; port: number } {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain ?? '';
  const number = Number(digits);
  if (isIP(host) !== 0 && number <= 65_535) return { host, port: number };
  throw invalid(file, `${where}: expected address:port, such as 127.0.0.1:9100, found ${JSON.stringify(text)}`);
}

type EgressInput = z.infer<typeof egressRoute>;
type IngressInput = z.infer<typeof ingressRoute>;

function destinationOf(to: EgressInput['to']): EgressRoute['to'] {
  if ('host' in to) return { kind: 'tcp', host: to.host, port: to.port };
  if ('sni' in to) return { kind: 'sni', port: to.sni };
  return 'unix' in to ? { kind: 'unix', path: to.unix } : { kind: 'connect' };
}

function listenerOf(from: IngressInput['from'], file: string, where: string): WorldListener {
  if ('tcp' in from) return { kind: 'tcp', ...parseHostPort(from.tcp, file, `${where}.from.tcp`) };
  return 'unix' in from ? { kind: 'unix', path: from.unix } : { kind: 'systemd', name: from.systemd };
}

function routeOf(input: EgressInput | IngressInput, file: string, where: string): Route {
  if ('vsock' in input.from) {
    const { name, from, to, allow = [] } = input as EgressInput;
    return {
      direction: 'egress',
      name,
      vsockPort: from.vsock,
      cids: from.cids,
      to: destinationOf(to),
      allow: allow.map(entryOf),
    };
  }
  const { name, from, to } = input as IngressInput;
  const { cid, port: enclavePort, proxyProtocol } = to;
  const listener = listenerOf(from, file, where);
  return { direction: 'ingress', name, from: listener, cid, port: enclavePort, proxyProtocol } satisfies IngressRoute;
}

/** Without the fields that were left out. */
function entryOf({ address, port: entryPort, cids, allowPrivate }: z.infer<typeof allowEntry>) {
  return {
    address,
    port: entryPort,
    ...(cids === undefined ? {} : { cids }),
    ...(allowPrivate === undefined ? {} : { allowPrivate }),
  };
}

function expectDifferent(routes: readonly Route[], file: string): void {
  const seen = new Set<string>();
  for (const key of [...routes.map(listenKey), ...routes.map(({ name }) => `name ${name}`)]) {
    if (seen.has(key)) throw invalid(file, `routes: expected each listener and name once, found ${key} twice`);
    seen.add(key);
  }
}

function expectEntries({ routes, allowList }: ProxyConfig, file: string): void {
  try {
    new AllowList([...allowList, ...routes.flatMap((route) => (route.direction === 'egress' ? route.allow : []))]);
  } catch (cause) {
    throw new ProxyError('CONFIG_INVALID', `${file}: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}

/** A route to one host that is not on the list would refuse every connection: better to hear of it now. */
function expectTargetsAllowed({ routes, allowList }: ProxyConfig, file: string): void {
  for (const route of routes) {
    if (route.direction !== 'egress' || route.to.kind !== 'tcp') continue;
    const { name, to, cids } = route;
    if (!new AllowList([...allowList, ...route.allow]).lists(to, cids))
      throw invalid(file, `route ${name}: expected ${to.host} port ${to.port} on the allow-list, found it not there`);
  }
}

/** What is wrong, and where: of a union, in the branch that is nearest to what was found, if one is. */
function tell({ path, message, ...issue }: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_union') {
    const [nearest, other] = [...issue.errors].sort((one, another) => one.length - another.length);
    const [inside] = nearest ?? [];
    if (inside !== undefined && nearest?.length !== other?.length)
      return tell({ ...inside, path: [...path, ...inside.path] });
  }
  return `${path.join('.') || 'the file'}: ${message}`;
}

/** Drops keys that hold `undefined`, which optional fields of the schema may. */
function present<Fields extends object>(fields: Fields): { [Name in keyof Fields]: Exclude<Fields[Name], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}

function parseYaml(text: string, file: string): unknown {
  const document = parseDocument(text, { strict: true, uniqueKeys: true });
  const [error] = document.errors;
  if (error !== undefined)
    throw new ProxyError('CONFIG_INVALID', `${file}: expected YAML, found ${error.message}`, { cause: error });
  try {
    return document.toJS({ maxAliasCount: 50 }) ?? {};
  } catch (cause) {
    throw new ProxyError('CONFIG_INVALID', `${file}: expected few aliases, found what would fill the memory`, {
      cause,
    });
  }
}

/**
 * Reads a configuration. AWS's `vsock-proxy.yaml` is one, without routes.
 * @param file - Name for messages.
 * @throws {ProxyError} `CONFIG_INVALID`, with the place of what is wrong.
 */
export function parseServiceConfig(text: string, file: string): ServiceConfig {
  const parsed = schema.safeParse(parseYaml(text, file));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw invalid(file, issue === undefined ? 'expected another form' : tell(issue));
  }
  const { allowlist, routes: inputs, limits, drainTimeout, metrics, credentials, logs } = parsed.data;
  const routes = inputs.map((input, index) => routeOf(input, file, `routes.${index}`));
  const proxy = { routes, allowList: allowlist.map(entryOf), limits: present(limits ?? {}) };
  expectEntries(proxy, file);
  expectDifferent(routes, file);
  expectTargetsAllowed(proxy, file);
  return {
    proxy,
    drainTimeout,
    metrics: metrics === undefined ? undefined : parseHostPort(metrics, file, 'metrics'),
    credentials: credentials === undefined ? undefined : { port: credentials.port, grants: credentials.grants },
    logs: logs === undefined ? undefined : { port: logs.port, cids: logs.cids },
  };
}
