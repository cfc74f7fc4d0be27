import { readSync } from 'node:fs';

/** A part of an open file. */
export interface Region {
  readonly fd: number;
  /** Where it starts in the file, in bytes. */
  readonly offset: number;
  /** Its length, in bytes. */
  readonly size: number;
}

const PIECE_BYTES = 1 << 20;

/** The bytes of `region` from `at` (counted from its start) on: fewer than `length` only at its end. */
export function readRegion({ fd, offset, size }: Region, at: number, length: number): Buffer {
  const wanted = Math.max(0, Math.min(length, size - at));
  const bytes = Buffer.allocUnsafe(wanted);
  let filled = 0;
  while (filled < wanted) {
    const count = readSync(fd, bytes, filled, wanted - filled, offset + at + filled);
    if (count === 0) break;
    filled += count;
  }
  return bytes.subarray(0, filled);
}

/** All of `region`, in pieces. */
export function* piecesOf(region: Region): Generator<Buffer> {
  for (let at = 0; at < region.size; at += PIECE_BYTES) yield readRegion(region, at, PIECE_BYTES);
}
