import type { Hash } from 'node:crypto';
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { Platform, Sha384 } from '../platform.ts';
import { gunzip } from './gunzip.ts';
import { createParallelSha384 } from './parallel-sha384.ts';

function wrap(hash: Hash): Sha384 {
  return {
    update: (bytes) => {
      hash.update(bytes);
    },
    copy: () => wrap(hash.copy()),
    digest: () => hash.digest(),
  };
}

/** OpenSSL's SHA-384, zlib's CRC-32 and gunzip, through Node. */
export const nodePlatform: Platform = {
  createSha384: () => wrap(createHash('sha384')),
  // Of no bytes at all zlib's gives 0, whatever went before.
  crc32: (bytes, previous) => (bytes.length === 0 ? previous : crc32(bytes, previous)),
  gunzip,
  createParallelSha384,
};
