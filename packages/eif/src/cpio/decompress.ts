import { copyBytes } from '@nitro-enclaves/core';
import { EifError, fail } from '../error.ts';

/** How an archive inside a ramdisk is compressed. */
export type CpioCompression = 'gzip' | 'bzip2' | 'lzma' | 'xz' | 'lzo' | 'lz4' | 'zstd';

const MAGICS: ReadonlyMap<number, CpioCompression> = new Map([
  [0x1f, 'gzip'],
  [0x42, 'bzip2'],
  [0x5d, 'lzma'],
  [0xfd, 'xz'],
  [0x89, 'lzo'],
  [0x02, 'lz4'],
  [0x28, 'zstd'],
]);

/** The compression that an archive's first byte announces, of those that the kernel knows. */
export function compressionOf(firstByte: number): CpioCompression | undefined {
  return MAGICS.get(firstByte);
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

async function* decompressed(
  pieces: AsyncIterable<Uint8Array>,
  stream: DecompressionStream,
): AsyncGenerator<Uint8Array, void, undefined> {
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
}

/**
 * Decompresses an archive.
 * @throws {EifError} `CPIO_COMPRESSION` for damaged data and for every format but gzip.
 */
export function decompressCpio(
  pieces: AsyncIterable<Uint8Array>,
  compression: CpioCompression,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (compression === 'gzip') return decompressed(pieces, new DecompressionStream('gzip'));
  return fail('CPIO_COMPRESSION', `expected a plain or gzip archive, found ${compression}`);
}
