/** Counts the connections of a route, altogether and of each enclave. */
export class ConnectionCount {
  #total = 0;
  readonly #byCid = new Map<number, number>();

  get total(): number {
    return this.#total;
  }

  /** Takes a place for a connection; `undefined`, or which limit is reached. */
  enter(cid: number, limits: { maxConnections: number; maxConnectionsPerCid: number }): string | undefined {
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
