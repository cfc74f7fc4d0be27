import { sha384 } from '@noble/hashes/sha2.js';
import { createCrc32 } from './format/crc32.ts';
import type { Platform, Sha384 } from './platform.ts';

function wrap(hash: ReturnType<typeof sha384.create>): Sha384 {
  return {
    update: (bytes) => {
      hash.update(bytes);
    },
    copy: () => wrap(hash.clone()),
    digest: () => hash.digest(),
  };
}

/** JavaScript only: WebCrypto hashes whole buffers, and an image does not fit into one. */
export const browserPlatform: Platform = {
  createSha384: () => wrap(sha384.create()),
  crc32: createCrc32(),
};
