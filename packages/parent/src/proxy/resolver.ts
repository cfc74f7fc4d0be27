import { Resolver as DnsResolver, lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { ProxyError } from './error.ts';
import { untilAborted } from './until-aborted.ts';

/** Addresses of a host, and for how long they hold. */
export interface Resolution {
  readonly addresses: readonly string[];
  /** ms. */
  readonly ttl: number;
}

/** Finds the addresses of a host name. */
export interface Resolver {
  resolve(host: string, options: { signal: AbortSignal }): Promise<Resolution>;
}

/** Where the answer carries no TTL, as one from the hosts file, in ms. */
const DEFAULT_TTL_MS = 30_000;
/** Longest that known addresses wait for their TTL: without a DNS server, the hosts file serves all the same. */
const TTL_WAIT_MS = 500;

function orUndefined<Value>(promise: Promise<Value>): Promise<Value | undefined> {
  return promise.catch(() => undefined);
}

/** How long DNS says that the addresses hold, in ms. getaddrinfo does not tell. */
async function findTtl(dns: DnsResolver, host: string): Promise<number> {
  const records = await Promise.all([
    orUndefined(dns.resolve4(host, { ttl: true })),
    orUndefined(dns.resolve6(host, { ttl: true })),
  ]);
  const ttls = records.flatMap((list) => list ?? []).map(({ ttl }) => ttl * 1000);
  return ttls.length === 0 ? DEFAULT_TTL_MS : Math.max(1000, Math.min(...ttls));
}

/** The system's own resolution (getaddrinfo: hosts file, DNS, search domains), with the TTL that DNS gives. */
export function systemResolver(): Resolver {
  return {
    resolve: async (host, { signal }) => {
      const dns = new DnsResolver({ timeout: 2000, tries: 2 });
      const ttl = findTtl(dns, host);
      try {
        const found = await untilAborted(lookup(host, { all: true, order: 'verbatim' }), signal);
        const late = setTimeout(() => dns.cancel(), TTL_WAIT_MS);
        const addresses = found.map(({ address }) => address);
        return { addresses, ttl: await ttl.finally(() => clearTimeout(late)) };
      } finally {
        dns.cancel();
      }
    },
  };
}

const MAX_NAMES = 10_000;

interface Held extends Resolution {
  readonly until: number;
}

/** Keeps resolutions for their TTL, and asks once however many connections wait. Failures are not kept. */
export class CachingResolver {
  readonly #resolver: Resolver;
  readonly #held = new Map<string, Held>();
  readonly #asking = new Map<string, Promise<Held>>();
  readonly #timeout: number;

  /** @param timeout - Longest for one resolution, in ms. */
  constructor(resolver: Resolver, timeout: number) {
    this.#resolver = resolver;
    this.#timeout = timeout;
  }

  /**
   * Addresses of `host`, itself if it is one.
   * @throws {ProxyError} `NAME_NOT_RESOLVED`.
   */
  async addressesOf(host: string): Promise<readonly string[]> {
    if (isIP(host) !== 0) return [host];
    const held = this.#held.get(host);
    if (held !== undefined && performance.now() < held.until) return held.addresses;
    const { addresses } = await this.#ask(host);
    return addresses;
  }

  #ask(host: string): Promise<Held> {
    const asking = this.#asking.get(host) ?? this.#askAnew(host).finally(() => this.#asking.delete(host));
    this.#asking.set(host, asking);
    return asking;
  }

  async #askAnew(host: string): Promise<Held> {
    const signal = AbortSignal.timeout(this.#timeout);
    try {
      const found = await untilAborted(this.#resolver.resolve(host, { signal }), signal);
      if (found.addresses.length === 0) throw new Error('no addresses');
      const held = { ...found, until: performance.now() + found.ttl };
      this.#keep(host, held);
      return held;
    } catch (cause) {
      throw new ProxyError(
        'NAME_NOT_RESOLVED',
        `expected addresses for ${host}, found none: does it resolve on this instance`,
        {
          cause,
        },
      );
    }
  }

  #keep(host: string, held: Held): void {
    this.#held.delete(host);
    this.#held.set(host, held);
    const [oldest] = this.#held.keys();
    if (this.#held.size > MAX_NAMES && oldest !== undefined) this.#held.delete(oldest);
  }
}
