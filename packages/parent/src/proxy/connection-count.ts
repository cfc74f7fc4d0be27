import type { VsockSocket } from '@nitro-enclaves/vsock';

interface ConnectionLimits {
  readonly maxConnections: number;
  readonly maxConnectionsPerCid: number;
}

/** Counts the connections of a route, altogether and of each enclave. */
export class ConnectionCount {
  #total = 0;
  readonly #byCid = new Map<number, number>();

  get total(): number {
    return this.#total;
  }

  /** Takes a place for a connection; `undefined`, or which limit is reached. */
  enter(cid: number, limits: ConnectionLimits): string | undefined {
    const ofCid = this.#byCid.get(cid) ?? 0;
    if (this.#total >= limits.maxConnections) return `maxConnections ${limits.maxConnections}`;
    if (ofCid >= limits.maxConnectionsPerCid) return `maxConnectionsPerCid ${limits.maxConnectionsPerCid}`;
    this.#total += 1;
    this.#byCid.set(cid, ofCid + 1);
    return undefined;
  }

  leave(cid: number): void {
    const ofCid = (this.#byCid.get(cid) ?? 1) - 1;
    this.#total -= 1;
    if (ofCid === 0) this.#byCid.delete(cid);
    else this.#byCid.set(cid, ofCid);
  }
}

/** Of the parent's own services: an instance has at most four enclaves. */
const SERVICE_LIMITS: ConnectionLimits = { maxConnections: 64, maxConnectionsPerCid: 16 };

/** Serves connections of enclaves, of each so many at a time only: none can take the places of the others. */
export function sharedFairly(serve: (socket: VsockSocket) => void): (socket: VsockSocket) => void {
  const count = new ConnectionCount();
  return (socket) => {
    const { remoteCid } = socket;
    if (count.enter(remoteCid, SERVICE_LIMITS) !== undefined) {
      socket.on('error', () => undefined).destroy();
      return;
    }
    socket.once('close', () => count.leave(remoteCid));
    serve(socket);
  };
}
