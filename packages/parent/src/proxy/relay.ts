import type { Socket } from 'node:net';
import type { RelayOutcome } from '@nitro-enclaves/vsock/relay';
import { relaySockets } from '@nitro-enclaves/vsock/relay';

/** By what bytes are moved: the addon's thread, or the streams of Node. */
export type RelayBy = 'addon' | 'streams';

/**
 * Joins two sockets until both have ended: each side's end is passed on while the other side may go on sending
 * (half-close), each side reads no faster than the other takes (back-pressure). When one breaks off, so does the other.
 * Both have to be made with `allowHalfOpen`. What cannot be left to the addon is moved by streams.
 * @param idleTimeout - ms without a byte in either direction; 0: no limit.
 */
export function relay(from: Socket, to: Socket, idleTimeout: number, by: RelayBy): Promise<RelayOutcome> {
  // One that broke off while the other was connected tells it no more.
  if (from.destroyed || to.destroyed) return Promise.resolve(breakOffBoth(from, to));
  const relayed = by === 'addon' ? relaySockets(from, to, idleTimeout) : undefined;
  return relayed ?? relayStreams(from, to, idleTimeout);
}

function breakOffBoth(from: Socket, to: Socket): RelayOutcome {
  for (const socket of [from, to]) socket.on('error', () => undefined).destroy();
  return { end: 'reset', bytesForward: to.bytesWritten, bytesBack: from.bytesWritten };
}

function relayStreams(from: Socket, to: Socket, idleTimeout: number): Promise<RelayOutcome> {
  return new Promise((resolve) => {
    let end: RelayOutcome['end'] = 'closed';
    let open = 2;
    const breakOff = (how: RelayOutcome['end']) => {
      if (end === 'closed') end = how;
      from.destroy();
      to.destroy();
    };
    const closed = (socket: Socket) => {
      // Closed before both directions had ended: the other side must not wait for more.
      if (!socket.readableEnded || !socket.writableFinished) breakOff('reset');
      open -= 1;
      if (open === 0) resolve({ end, bytesForward: to.bytesWritten, bytesBack: from.bytesWritten });
    };
    for (const socket of [from, to]) {
      socket.on('error', () => breakOff('reset'));
      // A byte in either direction moves through both sockets, so each one's timer tells for both.
      socket.setTimeout(idleTimeout, () => breakOff('idle'));
      socket.once('close', () => closed(socket));
    }
    from.pipe(to);
    to.pipe(from);
  });
}
