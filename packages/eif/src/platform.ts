import type { Crc32 } from './format/crc32.ts';

/** A SHA-384 in progress. */
export interface Sha384 {
  update(bytes: Uint8Array): void;
  /** A second one that goes on from here. */
  copy(): Sha384;
  digest(): Uint8Array;
}

/** What a measurement needs of the machine below: `node:crypto` and `node:zlib` in Node, JavaScript in browsers. */
export interface Platform {
  createSha384(): Sha384;
  readonly crc32: Crc32;
}
