import type { Socket } from 'node:net';
import { connect, isIPv6 } from 'node:net';
import type { AllowList, Target } from './allow-list.ts';
import { ProxyError } from './error.ts';
import { normalizeHost } from './host-name.ts';
import type { CachingResolver } from './resolver.ts';

/** Which addresses of a name are used. */
export type AddressFamily = 4 | 6 | undefined;

/** What is needed to connect for an enclave. */
export interface DialOptions {
  readonly allowList: AllowList;
  readonly resolver: CachingResolver;
  /** Longest for resolving and connecting together, in ms. */
  readonly connectTimeout: number;
  readonly family: AddressFamily;
}

/** Wait for one address before the next is tried too, in ms (RFC 8305 §8, "Connection Attempt Delay"). */
const ATTEMPT_DELAY_MS = 250;

function isOfFamily(address: string, family: AddressFamily): boolean {
  return family === undefined || isIPv6(address) === (family === 6);
}

/** The addresses that may be connected to: checked after resolution, so that no name leads where no rule does. */
async function allowedAddresses(
  target: Target,
  cid: number,
  { allowList, resolver, family }: DialOptions,
): Promise<string[]> {
  const permission = allowList.permit(target, cid);
  const found = await resolver.addressesOf(normalizeHost(target.host) ?? target.host);
  const allowed = found.filter((address) => isOfFamily(address, family) && permission.allowsAddress(address));
  if (allowed.length > 0) return allowed;
  throw new ProxyError(
    'ADDRESS_NOT_ALLOWED',
    `expected ${target.host} to resolve to public addresses, or to ones that the allow-list names, found ${found.join(', ')}: if they are meant, as those of a VPC endpoint, say allowPrivate: true at the name`,
  );
}

/** Connects to the checked addresses and no others: the name is not resolved again (DNS rebinding). */
function connectTo(addresses: readonly string[], { host, port }: Target, timeout: number): Promise<Socket> {
  const records = addresses.map((address) => ({ address, family: isIPv6(address) ? 6 : 4 }));
  return new Promise((resolve, reject) => {
    const socket = connect({
      host,
      port,
      allowHalfOpen: true,
      noDelay: true,
      autoSelectFamily: true,
      autoSelectFamilyAttemptTimeout: ATTEMPT_DELAY_MS,
      lookup: (_host, _options, callback) => callback(null, records),
    });
    const expire = () => socket.destroy(connectTimeout({ host, port }, timeout));
    const timer = setTimeout(expire, timeout);
    const settle = (outcome: () => void) => {
      clearTimeout(timer);
      outcome();
    };
    socket.once('error', (error) => settle(() => reject(error)));
    socket.once('connect', () => {
      socket.removeAllListeners('error');
      settle(() => resolve(socket));
    });
  });
}

function connectTimeout({ host, port }: Target, timeout: number): ProxyError {
  return new ProxyError(
    'CONNECT_TIMEOUT',
    `expected ${host} port ${port} to answer within ${timeout} ms, found silence`,
  );
}

/**
 * Connects to `target` on behalf of the enclave `cid`.
 * @throws {ProxyError} `TARGET_NOT_ALLOWED`, `ADDRESS_NOT_ALLOWED`, `NAME_NOT_RESOLVED`, `CONNECT_FAILED`, `CONNECT_TIMEOUT`.
 */
export async function dial(target: Target, cid: number, options: DialOptions): Promise<Socket> {
  const startedAt = performance.now();
  const addresses = await allowedAddresses(target, cid, options);
  const left = options.connectTimeout - (performance.now() - startedAt);
  if (left <= 0) throw connectTimeout(target, options.connectTimeout);
  try {
    return await connectTo(addresses, target, left);
  } catch (cause) {
    if (cause instanceof ProxyError) throw cause;
    throw new ProxyError(
      'CONNECT_FAILED',
      `expected a connection to ${target.host} port ${target.port}, found none at ${addresses.join(', ')}`,
      { cause },
    );
  }
}
