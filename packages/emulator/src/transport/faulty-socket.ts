import type { Socket } from 'node:net';
import { pipeline } from 'node:stream';
import type { VsockSocket } from '@nitro-enclaves/vsock';
import { isVsockSocket } from '@nitro-enclaves/vsock';
import type { DueFault, TransportFault } from '../faults.ts';
import { byteFault } from './byte-fault.ts';
import { createSocketPair } from './socket-pair.ts';

const ENDPOINTS = [
  ...(['remoteCid', 'remotePort', 'remoteAddress', 'remoteFamily'] as const),
  ...(['localCid', 'localPort', 'localAddress', 'localFamily'] as const),
];

function copyEndpoints(from: VsockSocket, to: Socket): VsockSocket {
  for (const name of ENDPOINTS)
    Object.defineProperty(to, name, { value: from[name], enumerable: true, configurable: true });
  if (!isVsockSocket(to)) throw new TypeError('expected a socket that takes properties');
  return to;
}

/**
 * Puts faults between the parent and a connection with an enclave. The socket that is given back takes the place of
 * `socket`; what is written to it goes to the enclave.
 */
export async function faultySocket(
  socket: VsockSocket,
  faults: readonly DueFault<TransportFault>[],
  { scratch, allowHalfOpen }: { scratch: string; allowHalfOpen: boolean },
): Promise<VsockSocket> {
  const { near, far } = await createSocketPair(scratch, { allowHalfOpen });
  const streams = (direction: 'to-enclave' | 'to-parent') =>
    faults.filter(({ fault }) => (fault.direction ?? 'to-enclave') === direction).map(byteFault);
  const cut = (error: unknown) => {
    if (!error) return;
    socket.destroy();
    far.destroy();
  };
  pipeline([far, ...streams('to-enclave'), socket], cut);
  pipeline([socket, ...streams('to-parent'), far], cut);
  return copyEndpoints(socket, near);
}
