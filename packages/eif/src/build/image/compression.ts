import { Readable } from 'node:stream';
import * as zlib from 'node:zlib';
import { Decompress } from 'fzstd';
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

async function* throughStream(
  pieces: Iterable<Uint8Array>,
  stream: NodeJS.ReadWriteStream & { destroy(error?: Error): unknown },
): AsyncGenerator<Uint8Array> {
  const source = Readable.from(pieces, { objectMode: false });
  source.on('error', (error) => stream.destroy(error));
  source.pipe(stream);
  try {
    for await (const piece of stream) yield piece as Uint8Array;
  } finally {
    source.destroy();
    stream.destroy();
  }
}

/** For Node lines whose zlib does not know zstd. */
async function* throughFzstd(pieces: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let ready: Uint8Array[] = [];
  let ended = false;
  const decompress = new Decompress((piece, final) => {
    ready.push(piece);
    ended ||= final === true;
  });
  for (const piece of pieces) {
    decompress.push(piece);
    yield* ready;
    ready = [];
  }
  decompress.push(new Uint8Array(), true);
  yield* ready;
  if (!ended) throw new Error('the zstd frame is cut off');
}

/** The pieces, decompressed. Errors are the decompressor's own. */
export function decompressed(pieces: Iterable<Uint8Array>, compression: 'gzip' | 'zstd'): AsyncGenerator<Uint8Array> {
  if (compression === 'gzip') return throughStream(pieces, zlib.createGunzip());
  const create = (zlib as { createZstdDecompress?: () => zlib.Gunzip }).createZstdDecompress;
  return create === undefined ? throughFzstd(pieces) : throughStream(pieces, create());
}
