import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net';
import { ipv6Groups } from './ipv6-groups.ts';

/** Ranges that no route leads to unless its allow-list names them (IANA special-purpose address registries). */
const SPECIAL_V4: readonly (readonly [string, number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  // Link-local, and in it the instance metadata service: whoever reaches it has the instance's role.
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
];
/**
 * All that is routed to everyone (global unicast). Outside of it are loopback, link-local, unique local (fd00:ec2::254 is the
 * instance metadata service), multicast, and what nobody has assigned yet; IPv4 addresses in other clothes are judged by what
 * is inside, below.
 */
const GLOBAL_V6 = ['2000::', 3] as const;
const SPECIAL_V6: readonly (readonly [string, number])[] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['3fff::', 20],
];

const global = new BlockList();
global.addSubnet(...GLOBAL_V6, 'ipv6');
const special = new BlockList();
for (const [network, prefix] of SPECIAL_V4) special.addSubnet(network, prefix, 'ipv4');
for (const [network, prefix] of SPECIAL_V6) special.addSubnet(network, prefix, 'ipv6');

function dotted(high: number, low: number): string {
  return `${high >> 8}.${high & 0xff}.${low >> 8}.${low & 0xff}`;
}

/**
 * The IPv4 address inside an IPv6 one that reaches it: IPv4-mapped (::ffff:0:0/96), NAT64 (64:ff9b::/96), 6to4 (2002::/16).
 * Without this, `::ffff:169.254.169.254` would be a way around every rule for 169.254.0.0/16.
 */
function embeddedIPv4(address: string): string | undefined {
  const [g0 = 0, g1 = 0, g2 = 0, g3 = 0, g4 = 0, g5 = 0, g6 = 0, g7 = 0] = ipv6Groups(address);
  const isMapped = g0 === 0 && g1 === 0 && g2 === 0 && g3 === 0 && g4 === 0 && g5 === 0xffff;
  const isNat64 = g0 === 0x64 && g1 === 0xff9b && g2 === 0 && g3 === 0 && g4 === 0 && g5 === 0;
  if (isMapped || isNat64) return dotted(g6, g7);
  return g0 === 0x2002 ? dotted(g1, g2) : undefined;
}

/** Whether `address` (IPv4 or IPv6) is in no special range: reachable by everyone, so of no use for getting further in. */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return !special.check(address, 'ipv4');
  if (!isIPv6(address)) return false;
  const [plain = ''] = address.split('%');
  const inner = embeddedIPv4(plain);
  if (inner !== undefined) return isPublicAddress(inner);
  return global.check(plain, 'ipv6') && !special.check(plain, 'ipv6');
}

/** One address, or a range in CIDR notation. */
export class AddressRange {
  readonly #list = new BlockList();

  private constructor(network: string, prefix: number | undefined) {
    const family = isIPv4(network) ? 'ipv4' : 'ipv6';
    if (prefix === undefined) this.#list.addAddress(network, family);
    else this.#list.addSubnet(network, prefix, family);
  }

  /** Reads `169.254.169.254`, `10.0.0.0/8` or `fd00::/8`; `undefined` when `text` is neither. */
  static parse(text: string): AddressRange | undefined {
    const [network = '', prefix, ...more] = text.split('/');
    const family = isIP(network);
    if (family === 0 || network.includes('%') || more.length > 0) return undefined;
    if (prefix === undefined) return new AddressRange(network, undefined);
    const bits = /^\d{1,3}$/.test(prefix) ? Number(prefix) : -1;
    return bits >= 0 && bits <= (family === 4 ? 32 : 128) ? new AddressRange(network, bits) : undefined;
  }

  /** Whether `address` is in it. An IPv6 address that carries an IPv4 one is looked up by what it carries. */
  includes(address: string): boolean {
    const [plain = ''] = address.split('%');
    if (isIPv4(plain)) return this.#list.check(plain, 'ipv4');
    if (!isIPv6(plain)) return false;
    const inner = embeddedIPv4(plain);
    return this.#list.check(plain, 'ipv6') || (inner !== undefined && this.#list.check(inner, 'ipv4'));
  }
}
