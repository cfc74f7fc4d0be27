import type { Gunzip } from './cpio/decompress.ts';
import type { Crc32 } from './format/crc32.ts';

/** A SHA-384 in progress. */
export interface Sha384 {
  update(bytes: Uint8Array): void;
  /** A second one that goes on from here. */
  copy(): Sha384;
  digest(): Uint8Array;
}

/** A SHA-384 that another thread calculates. */
export interface ParallelSha384 {
  /** Whether nothing is on its way: the thread has time for a CRC too. */
  readonly isIdle: boolean;
  /**
   * Hands `bytes` over; waits only while too much is on its way. With `onCrc` the thread calculates the CRC-32 of `bytes`
   * too and gives it before the digest.
   */
  update(bytes: Uint8Array, onCrc?: (crc: number) => void): Promise<void>;
  digest(): Promise<Uint8Array>;
  /** Ends the thread. */
  close(): Promise<void>;
}

/** What a measurement needs of the machine below: `node:crypto` and `node:zlib` in Node, JavaScript in browsers. */
export interface Platform {
  createSha384(): Sha384;
  readonly crc32: Crc32;
  /** Where the runtime's own, by the Compression Streams standard, is not to be relied on. */
  readonly gunzip?: Gunzip;
  /** A second thread for `byteLength` bytes, where there is one and it is worth its start. */
  createParallelSha384?(byteLength: number): ParallelSha384 | undefined;
}
