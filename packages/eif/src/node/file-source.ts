import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import { fail } from '../error.ts';
import type { EifSource, OpenSource } from '../source.ts';
import { openSource } from '../source.ts';
import { createPiecePool } from './piece-pool.ts';

/** Where an image comes from in Node: a path too. */
export type NodeEifSource = EifSource | string | URL;

/** Reads one piece ahead, so that the disk and the hash work at the same time. */
async function* filePieces(file: FileHandle, byteLength: number): AsyncGenerator<Uint8Array> {
  const pool = createPiecePool();
  const read = (position: number): Promise<Uint8Array> => {
    const piece = pool.next();
    return file.read(piece, 0, piece.length, position).then(({ bytesRead }) => piece.subarray(0, bytesRead));
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
    const { size } = await file.stat();
    if (size !== byteLength)
      fail('EIF_SOURCE_CHANGED', `expected a file of ${byteLength} bytes to its end, found ${size}`);
  } finally {
    // A read into a piece must not be under way when the file is closed.
    await ahead.catch(() => undefined);
  }
}

/** Calls `use` with the opened `source`; a file that this opens is closed whatever happens. */
export async function withSource<T>(source: NodeEifSource, use: (source: OpenSource) => Promise<T>): Promise<T> {
  if (typeof source !== 'string' && !(source instanceof URL)) return use(openSource(source));
  const file = await open(source, 'r');
  try {
    const stats = await file.stat();
    if (!stats.isFile()) fail('EIF_SOURCE', `expected a regular file at ${String(source)}`);
    return await use({ byteLength: stats.size, pieces: filePieces(file, stats.size) });
  } finally {
    await file.close();
  }
}
