import { isIPv4, isIPv6 } from 'node:net';
import { ipv6Groups } from './ipv6-groups.ts';

/** Who connected to whom, as the PROXY protocol tells it. */
export interface ConnectionEndpoints {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
}

const V2_SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
const V2_PROXY = 0x21;
const V2_LOCAL = 0x20;
const V2_TCP4 = 0x11;
const V2_TCP6 = 0x21;

interface Known {
  readonly family: 4 | 6;
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
}

/** IPv4 that came over a dual-stack socket is told as IPv4. */
function plain(address: string | undefined): string {
  return (address ?? '').replace(/^::ffff:(?=\d+\.)/, '');
}

/** `undefined` for Unix sockets, which have no addresses. */
function known({ remoteAddress, remotePort, localAddress, localPort }: ConnectionEndpoints): Known | undefined {
  const [source, destination] = [plain(remoteAddress), plain(localAddress)];
  if (remotePort === undefined || localPort === undefined) return undefined;
  const ports = { source, destination, sourcePort: remotePort, destinationPort: localPort };
  if (isIPv4(source) && isIPv4(destination)) return { family: 4, ...ports };
  return isIPv6(source) && isIPv6(destination) ? { family: 6, ...ports } : undefined;
}

/** Version 1, a line of text (PROXY protocol §2.1). */
export function encodeProxyV1(endpoints: ConnectionEndpoints): Buffer {
  const of = known(endpoints);
  if (of === undefined) return Buffer.from('PROXY UNKNOWN\r\n');
  const { family, source, destination, sourcePort, destinationPort } = of;
  return Buffer.from(`PROXY TCP${family} ${source} ${destination} ${sourcePort} ${destinationPort}\r\n`);
}

function addressBytes(address: string, family: 4 | 6): Buffer {
  if (family === 4) return Buffer.from(address.split('.').map(Number));
  return Buffer.from(ipv6Groups(address).flatMap((group) => [group >> 8, group & 0xff]));
}

function v2(command: number, family: number, addresses: Buffer): Buffer {
  return Buffer.concat([
    V2_SIGNATURE,
    Buffer.of(command, family, addresses.length >> 8, addresses.length & 0xff),
    addresses,
  ]);
}

/** Version 2, binary (PROXY protocol §2.2). */
export function encodeProxyV2(endpoints: ConnectionEndpoints): Buffer {
  const of = known(endpoints);
  if (of === undefined) return v2(V2_LOCAL, 0, Buffer.alloc(0));
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(of.sourcePort, 0);
  ports.writeUInt16BE(of.destinationPort, 2);
  const addresses = [addressBytes(of.source, of.family), addressBytes(of.destination, of.family), ports];
  return v2(V2_PROXY, of.family === 4 ? V2_TCP4 : V2_TCP6, Buffer.concat(addresses));
}
