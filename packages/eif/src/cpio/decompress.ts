import { copyBytes } from '@nitro-enclaves/core';
import { EifError, fail } from '../error.ts';

/** How an archive inside a ramdisk is compressed. */
export type CpioCompression = 'gzip' | 'bzip2' | 'lzma' | 'xz' | 'lzo' | 'lz4' | 'zstd';

/** First bytes of each, of those that the kernel knows. Source: lib/decompress.c. */
const MAGICS: readonly (readonly [CpioCompression, readonly number[]])[] = [
  ['gzip', [0x1f, 0x8b]],
  ['bzip2', [0x42, 0x5a]],
  ['lzma', [0x5d, 0x00]],
  ['xz', [0xfd, 0x37]],
  ['lzo', [0x89, 0x4c]],
  ['lz4', [0x02, 0x21]],
  ['zstd', [0x28, 0xb5]],
];

/** The compression that an archive's first two bytes announce. */
export function compressionOf(start: Uint8Array): CpioCompression | undefined {
  return MAGICS.find(([, magic]) => magic.every((byte, at) => start[at] === byte))?.[0];
}

async function feed(
  pieces: AsyncIterable<Uint8Array>,
  writer: WritableStreamDefaultWriter<BufferSource>,
): Promise<void> {
  try {
    for await (const piece of pieces) await writer.write(copyBytes(piece));
    await writer.close();
  } catch (error) {
    await writer.abort(error);
  }
}

/** Decompresses gzip, and throws for anything else and for bytes behind it. */
export type Gunzip = (pieces: AsyncIterable<Uint8Array>) => AsyncGenerator<Uint8Array, void, undefined>;

/** As every JavaScript runtime can, by the Compression Streams standard. */
const gunzipByStandard: Gunzip = async function* (pieces) {
  const stream = new DecompressionStream('gzip');
  const fed = feed(pieces, stream.writable.getWriter()).catch(() => undefined);
  const reader = stream.readable.getReader();
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) yield read.value;
  } catch (cause) {
    if (cause instanceof EifError) throw cause;
    fail('CPIO_COMPRESSION', 'expected whole gzip data, found damaged or other data', { cause });
  } finally {
    await reader.cancel().catch(() => undefined);
    await fed;
  }
};

/**
 * Decompresses an archive.
 * @throws {EifError} `CPIO_COMPRESSION` for damaged data, bytes behind them, and every format but gzip.
 */
export function decompressCpio(
  pieces: AsyncIterable<Uint8Array>,
  compression: CpioCompression,
  gunzip: Gunzip = gunzipByStandard,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (compression === 'gzip') return gunzip(pieces);
  return fail('CPIO_COMPRESSION', `expected a plain or gzip archive, found ${compression}`);
}
