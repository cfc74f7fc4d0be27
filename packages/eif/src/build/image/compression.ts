import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { Decompress } from 'fzstd';
import { EifBuildError } from '../error.ts';
import type { Region } from '../tar/region.ts';
import { readRegion } from '../tar/region.ts';

/** How a layer, or a whole archive, is stored. */
export type Compression = 'none' | 'gzip' | 'zstd';

/** Tells a compression from the first bytes. */
export function detectCompression(region: Region): Compression {
  const magic = readRegion(region, 0, 4).toString('hex');
  if (magic.startsWith('1f8b')) return 'gzip';
  return magic === '28b52ffd' ? 'zstd' : 'none';
}

async function* gunzip(pieces: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const source = Readable.from(pieces, { objectMode: false });
  const stream = createGunzip();
  source.on('error', (error) => stream.destroy(error));
  source.pipe(stream);
  try {
    for await (const piece of stream) yield piece as Uint8Array;
  } finally {
    source.destroy();
    stream.destroy();
  }
}

/**
 * Not through Node's zlib, which knows zstd from version 22.15 on only, and ends at a skippable frame, such as layers of
 * the zstd:chunked kind have, without reading what follows.
 */
async function* unzstd(pieces: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let ready: Uint8Array[] = [];
  const decompress = new Decompress((piece) => ready.push(piece));
  for (const piece of pieces) {
    decompress.push(piece);
    yield* ready;
    ready = [];
  }
  decompress.push(new Uint8Array(), true);
  yield* ready;
}

/** The pieces, decompressed. Errors are the decompressor's own. */
export function decompressed(pieces: Iterable<Uint8Array>, compression: 'gzip' | 'zstd'): AsyncGenerator<Uint8Array> {
  return compression === 'gzip' ? gunzip(pieces) : unzstd(pieces);
}

/** Whether an error of a decompression is about the data: not our own, the disk's, or that of a signal. */
export function isDecompressorError(error: unknown, signal: AbortSignal | undefined): boolean {
  if (signal?.aborted || error instanceof EifBuildError) return false;
  return !(error instanceof Error && 'syscall' in error);
}
