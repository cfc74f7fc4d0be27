import { isIP } from 'node:net';
import { AddressRange, isPublicAddress } from './address-range.ts';
import { ProxyError } from './error.ts';
import { normalizeHost } from './host-name.ts';

/** One thing that enclaves may connect to. The form of AWS's `vsock-proxy.yaml`, with what it lacks. */
export interface AllowEntry {
  /** Exact host name, `*.example.com` (any name below, not itself), IP address, or range in CIDR notation. */
  readonly address: string;
  /** 1 to 65535, or `*`. */
  readonly port: number | '*';
  /** Enclaves that the entry holds for. Default: all. */
  readonly cids?: readonly number[];
  /** Whether the name may resolve to private, loopback and link-local addresses. Default no. Addresses named are allowed as such. */
  readonly allowPrivate?: boolean;
}

/** Where an enclave wants to go. */
export interface Target {
  readonly host: string;
  readonly port: number;
}

interface Rule extends Omit<AllowEntry, 'address'> {
  readonly name: string | undefined;
  readonly suffix: string | undefined;
  readonly range: AddressRange | undefined;
}

const LOWEST_ENCLAVE_CID = 4;

function isPort(port: unknown): boolean {
  return port === '*' || (typeof port === 'number' && Number.isInteger(port) && port >= 1 && port <= 65_535);
}

function compile(entry: AllowEntry): Rule {
  const { address, port } = entry;
  const range = AddressRange.parse(address);
  const isWildcard = address.startsWith('*.');
  const name = normalizeHost(isWildcard ? address.slice(2) : address);
  if (!isPort(port))
    throw new ProxyError('CONFIG_INVALID', `expected a port from 1 to 65535 or "*" for ${address}, found ${port}`);
  if (range === undefined && (name === undefined || (isWildcard && isIP(name) !== 0)))
    throw new ProxyError(
      'CONFIG_INVALID',
      `expected a host name, *.name, address or range, found ${JSON.stringify(address)}`,
    );
  if (range !== undefined) return { ...entry, range, name: undefined, suffix: undefined };
  return { ...entry, range, name: isWildcard ? undefined : name, suffix: isWildcard ? `.${name}` : undefined };
}

function isOfName({ name, suffix }: Rule, host: string): boolean {
  return host === name || (suffix !== undefined && host.endsWith(suffix) && host.length > suffix.length);
}

/** What a target may resolve to: decided once its name was allowed, and asked again for each address. */
export interface Permission {
  /** Whether an entry names the host itself. If not, only ranges could let it through, by the addresses that it has. */
  readonly isNamed: boolean;
  allowsAddress(address: string): boolean;
}

/** Which targets enclaves may reach, by name before resolution and by address after it. */
export class AllowList {
  readonly #rules: readonly Rule[];

  /** @throws {ProxyError} `CONFIG_INVALID` for an entry that is none. */
  constructor(entries: readonly AllowEntry[]) {
    this.#rules = entries.map(compile);
  }

  /** Whether an entry could let one of `cids` through to `target`, or any enclave at all where no CIDs are given. */
  lists(target: Target, cids?: readonly number[]): boolean {
    const some = cids ?? [LOWEST_ENCLAVE_CID, ...this.#rules.flatMap((rule) => rule.cids ?? [])];
    return some.some((cid) => this.#permissionOf(target, cid) !== undefined);
  }

  /**
   * What `cid` may do with `target`.
   * @throws {ProxyError} `TARGET_NOT_ALLOWED` when no entry could let it through.
   */
  permit(target: Target, cid: number): Permission {
    const permission = this.#permissionOf(target, cid);
    if (permission === undefined) throw notAllowed(target, cid);
    return permission;
  }

  #permissionOf(target: Target, cid: number): Permission | undefined {
    const host = normalizeHost(target.host);
    const rules = this.#rules.filter(
      ({ port, cids }) => (port === '*' || port === target.port) && (cids?.includes(cid) ?? true),
    );
    const named = host === undefined ? [] : rules.filter((rule) => isOfName(rule, host));
    const ranges = rules.flatMap(({ range }) => range ?? []);
    // As AWS's proxy has it: an address in the list lets through every name that resolves to it.
    if (host === undefined || (named.length === 0 && ranges.length === 0)) return undefined;
    const isNamed = named.length > 0;
    const isPrivateAllowed = named.some(({ allowPrivate }) => allowPrivate === true);
    return {
      isNamed,
      allowsAddress: (address) =>
        ranges.some((range) => range.includes(address)) || (isNamed && (isPrivateAllowed || isPublicAddress(address))),
    };
  }
}

/** The refusal of a target that no entry lets through. */
export function notAllowed({ host, port }: Target, cid: number): ProxyError {
  return new ProxyError(
    'TARGET_NOT_ALLOWED',
    `expected a target on the allow-list for CID ${cid}, found ${JSON.stringify(host.slice(0, 253))} port ${port}`,
  );
}
