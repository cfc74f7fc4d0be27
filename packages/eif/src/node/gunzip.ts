import type { Gunzip as Engine } from 'node:zlib';
import { createGunzip } from 'node:zlib';
import { copyBytes } from '@nitro-enclaves/core';
import type { Gunzip } from '../cpio/decompress.ts';
import { EifError, fail } from '../error.ts';

/** Gives everything to `engine`; how many bytes that were. */
async function feed(pieces: AsyncIterable<Uint8Array>, engine: Engine): Promise<number> {
  let given = 0;
  // What is being written when the engine fails is never called back.
  const closed = new Promise<unknown>((resolve) => engine.once('close', resolve));
  try {
    for await (const piece of pieces) {
      if (engine.destroyed) break;
      given += piece.length;
      await Promise.race([closed, new Promise<unknown>((resolve) => engine.write(copyBytes(piece), resolve))]);
    }
    engine.end();
  } catch (error) {
    engine.destroy(error instanceof Error ? error : new Error(String(error)));
  }
  return given;
}

/**
 * By zlib instead of `DecompressionStream`, which in Node 20 passes over everything behind the gzip data if only that begins
 * with a zero. The kernel does not: it unpacks another archive there, and its files would be hidden from whoever lists them.
 */
export const gunzip: Gunzip = async function* (pieces) {
  const engine = createGunzip();
  const fed = feed(pieces, engine);
  try {
    for await (const piece of engine) yield piece;
  } catch (cause) {
    if (cause instanceof EifError) throw cause;
    fail('CPIO_COMPRESSION', 'expected whole gzip data, found damaged or other data', { cause });
  } finally {
    engine.destroy();
    await fed;
  }
  const behind = (await fed) - engine.bytesWritten;
  if (behind > 0) fail('CPIO_COMPRESSION', `expected nothing behind the gzip data, found ${behind} bytes`);
};
