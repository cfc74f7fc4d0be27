import { crc32 } from 'node:zlib';

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

/** CRC-32 of a stream: what software emulation computes ten times faster than a cryptographic hash. */
export class Checksum {
  #crc = 0;

  update(block: Uint8Array): void {
    this.#crc = crc32(block, this.#crc);
  }

  /** Four bytes. */
  digest(): Buffer {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(this.#crc);
    return bytes;
  }
}

/** Passes blocks on, and counts them into `checksum`. */
export async function* summed(blocks: Iterable<Buffer>, checksum: Checksum): AsyncGenerator<Buffer> {
  for (const block of blocks) {
    checksum.update(block);
    yield block;
  }
}
