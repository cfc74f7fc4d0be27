import type { Hash } from 'node:crypto';
import { createHash } from 'node:crypto';

const BLOCK_SIZE = 64 * 1024;

/** Bytes that repeat nowhere within reach of a lost or doubled block: filled once, stamped with the block's number. */
const TEMPLATE = Buffer.alloc(BLOCK_SIZE);
for (let index = 0; index < BLOCK_SIZE; index += 4)
  TEMPLATE.writeUInt32LE(Math.imul(index + 1, 0x9e3779b1) >>> 0, index);

/** `size` bytes in blocks; what was handed out is never written to again. */
export function* pattern(size: number): Generator<Buffer> {
  for (let offset = 0; offset < size; offset += BLOCK_SIZE) {
    const block = Buffer.from(TEMPLATE);
    block.writeUInt32LE(offset / BLOCK_SIZE, 0);
    yield block.subarray(0, Math.min(BLOCK_SIZE, size - offset));
  }
}

/** Passes blocks on, and keeps their digest. */
export async function* hashed(blocks: Iterable<Buffer> | AsyncIterable<Buffer>, hash: Hash): AsyncGenerator<Buffer> {
  for await (const block of blocks) {
    hash.update(block);
    yield block;
  }
}

export function sha256(): Hash {
  return createHash('sha256');
}
