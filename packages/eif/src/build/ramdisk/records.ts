import type { ByteString } from '../tree/byte-path.ts';

/** Encodes settings for the init: `key=value` records, each closed by a NUL. */
export function encodeRecords(records: readonly (readonly [key: string, value: ByteString | number])[]): Uint8Array {
  return Buffer.from(records.map(([key, value]) => `${key}=${value}\0`).join(''), 'latin1');
}
