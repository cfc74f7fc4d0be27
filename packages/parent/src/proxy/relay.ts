import type { Socket } from 'node:net';

/** How a relayed connection ended. */
export interface RelayOutcome {
  /** `closed`: both sides ended in good order; `reset`: one side broke off; `idle`: nothing moved for too long. */
  readonly end: 'closed' | 'reset' | 'idle';
  /** Bytes from the side that connected to the one that was connected to, and back. */
  readonly bytesForward: number;
  readonly bytesBack: number;
}

/**
 * Joins two sockets until both have ended: each side's end is passed on while the other side may go on sending
 * (half-close), each side reads no faster than the other takes (back-pressure). When one breaks off, so does the other.
 * Both have to be made with `allowHalfOpen`.
 * @param idleTimeout - ms without a byte in either direction; 0: no limit.
 */
export function relay(from: Socket, to: Socket, idleTimeout: number): Promise<RelayOutcome> {
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
