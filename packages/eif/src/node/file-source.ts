import type { Stats } from 'node:fs';
import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import { fail } from '../error.ts';
import type { EifSource, OpenSource } from '../source.ts';
import { openSource } from '../source.ts';
import { createPiecePool } from './piece-pool.ts';

/** Where an image comes from in Node: a path too. */
export type NodeEifSource = EifSource | string | URL;

/** Reads one piece ahead, so that the disk and the hash work at the same time. */
async function* filePieces(file: FileHandle, before: Stats): AsyncGenerator<Uint8Array> {
  const pool = createPiecePool();
  const read = (position: number): Promise<Uint8Array> => {
    const piece = pool.next();
    const reading = file.read(piece, 0, piece.length, position).then(({ bytesRead }) => piece.subarray(0, bytesRead));
    // It may fail before anyone waits for it.
    reading.catch(() => undefined);
    return reading;
  };
  let ahead = read(0);
  try {
    for (let position = 0; ; ) {
      const piece = await ahead;
      if (piece.length === 0) break;
      position += piece.length;
      ahead = read(position);
      yield piece;
    }
    const after = await file.stat();
    if (after.size === before.size && after.mtimeMs === before.mtimeMs) return;
    fail('EIF_SOURCE_CHANGED', `expected a file of ${before.size} bytes that nobody writes to, found ${after.size}`);
  } finally {
    // A read into a piece must not be under way when the file is closed.
    await ahead.catch(() => undefined);
  }
}

// Without O_NONBLOCK a pipe that nobody writes to would be waited for without end.
const OPEN_FLAGS: number = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/** Calls `use` with the opened `source`; a file that this opens is closed whatever happens. */
export async function withSource<T>(source: NodeEifSource, use: (source: OpenSource) => Promise<T>): Promise<T> {
  if (typeof source !== 'string' && !(source instanceof URL)) return use(openSource(source));
  const file = await open(source, OPEN_FLAGS);
  try {
    const stats = await file.stat();
    if (!stats.isFile()) fail('EIF_SOURCE', `expected a regular file at ${String(source)}`);
    return await use({ byteLength: stats.size, pieces: filePieces(file, stats) });
  } finally {
    await file.close();
  }
}
