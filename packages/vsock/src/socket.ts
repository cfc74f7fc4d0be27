import type { Socket } from 'node:net';
import type { VsockAddress } from './address.ts';
import { formatCid } from './address.ts';

/** A `net.Socket` between two vsock addresses. */
export interface VsockSocket extends Socket {
  /** CID of the other side, as the kernel reports it. */
  readonly remoteCid: number;
  readonly remotePort: number;
  /** CID of this side. */
  readonly localCid: number;
  readonly localPort: number;
}

/** The two ends of a connection. */
export interface Endpoints {
  readonly remote: VsockAddress;
  readonly local: VsockAddress;
}

/**
 * Gives `socket` the addresses of its connection. They stay after the socket is destroyed: whoever logs the end of a
 * connection wants to know whose it was.
 */
export function attachEndpoints(socket: Socket, { remote, local }: Endpoints): VsockSocket {
  const endpoints = {
    remoteCid: remote.cid,
    remotePort: remote.port,
    remoteAddress: formatCid(remote.cid),
    remoteFamily: 'vsock',
    localCid: local.cid,
    localPort: local.port,
    localAddress: formatCid(local.cid),
    localFamily: 'vsock',
  };
  for (const [name, value] of Object.entries(endpoints)) {
    Object.defineProperty(socket, name, { value, enumerable: true, configurable: true });
  }
  if (!isVsockSocket(socket)) throw new TypeError('expected a socket that takes properties');
  return socket;
}

/** Whether `socket` carries vsock addresses. */
export function isVsockSocket(socket: Socket): socket is VsockSocket {
  return 'remoteCid' in socket && 'localCid' in socket;
}
