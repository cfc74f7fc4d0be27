import { PIECE_BYTES } from '../source.ts';

/** Most pieces that may be on their way to the second thread at once. */
export const MAX_PIECES_ON_THE_WAY = 3;

/**
 * Pieces in one pool: those on their way, the one in use here, the one being read, and one to spare for a piece of the
 * image that straddles two of the file's.
 */
const POOL_PIECES: number = MAX_PIECES_ON_THE_WAY + 3;

/** Buffers for a file's pieces, each used again when {@link POOL_PIECES} - 1 others have been. */
export interface PiecePool {
  next(): Uint8Array<SharedArrayBuffer>;
}

/** Shared memory, so that a second thread reads the same bytes without a copy and without reading the file again. */
export function createPiecePool(): PiecePool {
  const pieces: Uint8Array<SharedArrayBuffer>[] = [];
  let taken = 0;
  return {
    next: () => {
      const index = taken % POOL_PIECES;
      taken += 1;
      const piece = pieces[index] ?? new Uint8Array(new SharedArrayBuffer(PIECE_BYTES));
      pieces[index] = piece;
      return piece;
    },
  };
}
