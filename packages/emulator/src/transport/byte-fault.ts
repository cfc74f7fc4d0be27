import { Transform } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { DueFault, TransportFault } from '../faults.ts';

/** Where a bit is changed when nobody says where: in the first bytes, which every conversation has. */
const CORRUPTIBLE_BYTES = 4096;

/** Cuts the connection: the stream ends with this error. */
export class ConnectionDropped extends Error {}

/** Passes bytes on; `null` ends the stream, whatever still comes. */
type Push = (bytes: Buffer | null) => void;
type Piece = (bytes: Buffer, push: Push) => void | Promise<void>;

/** A stream that changes what passes, piece by piece; `end` gives what was held back. */
function throughPieces(piece: Piece, end: (push: Push) => void = () => undefined): Transform {
  return new Transform({
    transform(bytes: Buffer, _encoding, done) {
      const push: Push = (out) => this.push(out);
      Promise.resolve()
        .then(() => piece(bytes, push))
        .then(() => done(), done);
    },
    flush(done) {
      end((out) => this.push(out));
      done();
    },
  });
}

function delayBy(ms: number): Transform {
  return throughPieces(async (bytes, push) => {
    await delay(ms);
    push(bytes);
  });
}

function truncateAfter(limit: number): Transform {
  let left = limit;
  return throughPieces((bytes, push) => {
    const kept = bytes.subarray(0, left);
    left -= kept.length;
    if (kept.length > 0) push(kept);
    if (left === 0) push(null);
  });
}

function dropAfter(limit: number): Transform {
  let left = limit;
  return throughPieces((bytes, push) => {
    const kept = bytes.subarray(0, left);
    left -= kept.length;
    if (kept.length > 0) push(kept);
    if (left === 0) throw new ConnectionDropped('the emulated parent cut the connection');
  });
}

/** Reads on after `limit` bytes, so that the sender notices nothing, and passes on no end. */
function stallAfter(limit: number): Transform {
  let left = limit;
  return new Transform({
    transform(bytes: Buffer, _encoding, done) {
      const kept = bytes.subarray(0, left);
      left -= kept.length;
      if (kept.length > 0) this.push(kept);
      done();
    },
    flush(done) {
      if (left > 0) done();
    },
  });
}

function corruptAt(offset: number): Transform {
  let passed = 0;
  return throughPieces((bytes, push) => {
    const at = offset - passed;
    passed += bytes.length;
    if (at < 0 || at >= bytes.length) return push(bytes);
    const corrupt = Buffer.from(bytes);
    corrupt[at] = (corrupt[at] ?? 0) ^ 1;
    return push(corrupt);
  });
}

/** Holds back the first `count` bytes, and gives them to `release` once they are all there. */
function holdBack(count: number, release: (held: Buffer) => readonly Buffer[]): Transform {
  let held: Buffer | undefined = Buffer.alloc(0);
  return throughPieces(
    (bytes, push) => {
      if (held === undefined) return push(bytes);
      held = Buffer.concat([held, bytes]);
      if (held.length < count) return undefined;
      for (const part of release(held)) push(part);
      held = undefined;
      return undefined;
    },
    (push) => {
      if (held !== undefined && held.length > 0) push(held);
    },
  );
}

function swapFirst(count: number): Transform {
  return holdBack(2 * count, (held) => [
    held.subarray(count, 2 * count),
    held.subarray(0, count),
    held.subarray(2 * count),
  ]);
}

function replayFirst(count: number): Transform {
  return holdBack(count, (held) => [held.subarray(0, count), held.subarray(0, count), held.subarray(count)]);
}

/** The stream that a fault makes of the bytes of one direction. */
export function byteFault({ fault, seed }: DueFault<TransportFault>): Transform {
  switch (fault.kind) {
    case 'delay':
      return delayBy(fault.ms);
    case 'truncate':
      return truncateAfter(fault.bytes);
    case 'drop':
      return dropAfter(fault.bytes);
    case 'stall':
      return stallAfter(fault.bytes);
    case 'corrupt':
      return corruptAt(fault.at ?? new DataView(seed.derive('offset', 4).buffer).getUint32(0) % CORRUPTIBLE_BYTES);
    case 'swap':
      return swapFirst(fault.bytes);
    case 'replay':
      return replayFirst(fault.bytes);
  }
}
