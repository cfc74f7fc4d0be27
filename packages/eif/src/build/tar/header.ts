import { failBuild } from '../error.ts';
import type { ByteString } from '../tree/byte-path.ts';

/** Length of a header, and of the blocks that everything is padded to. */
export const TAR_BLOCK_BYTES = 512;

/** A header as it stands, before extended headers have their say. */
export interface TarHeader {
  /** One character: `0` for a file, and so on. */
  readonly type: string;
  readonly name: ByteString;
  readonly linkName: ByteString;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly major: number;
  readonly minor: number;
}

const BASE_256 = 0x80;

function textAt(block: Buffer, start: number, length: number): ByteString {
  const text = block.toString('latin1', start, start + length);
  const end = text.indexOf('\0');
  return end === -1 ? text : text.slice(0, end);
}

/** Octal digits, or GNU's big-endian binary where the first bit is set. */
function numberAt(block: Buffer, start: number, length: number, offset: number): number {
  if (((block[start] ?? 0) & BASE_256) !== 0) {
    let value = BigInt((block[start] ?? 0) & 0x7f);
    for (let index = 1; index < length; index += 1) value = (value << 8n) | BigInt(block[start + index] ?? 0);
    if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
    failBuild('BUILD_TAR', 'expected a number up to 2^53 - 1 in a tar header', { offset: offset + start });
  }
  const digits = textAt(block, start, length).trim();
  if (/^[0-7]*$/.test(digits)) return digits === '' ? 0 : Number.parseInt(digits, 8);
  return failBuild('BUILD_TAR', 'expected octal digits in a tar header', { offset: offset + start });
}

const CHECKSUM = { start: 148, length: 8 };

function checkSum(block: Buffer, offset: number): void {
  let sum = 0;
  for (const [index, byte] of block.entries()) {
    const isChecksum = index >= CHECKSUM.start && index < CHECKSUM.start + CHECKSUM.length;
    sum += isChecksum ? 0x20 : byte;
  }
  const stated = numberAt(block, CHECKSUM.start, CHECKSUM.length, offset);
  if (stated !== sum) {
    failBuild('BUILD_TAR', `expected a tar header with checksum ${sum}, found ${stated}`, { offset });
  }
}

/**
 * Decodes a header of the v7, ustar or GNU kind, found at `offset` of the archive.
 * @throws {EifBuildError} `BUILD_TAR`.
 */
export function decodeTarHeader(block: Buffer, offset: number): TarHeader {
  checkSum(block, offset);
  const isUstar = block.toString('latin1', 257, 263) === 'ustar\0';
  const prefix = isUstar ? textAt(block, 345, 155) : '';
  const name = textAt(block, 0, 100);
  const type = block.toString('latin1', 156, 157);
  const isDevice = type === '3' || type === '4';
  return {
    type: type === '\0' || type === '7' ? '0' : type,
    name: prefix === '' ? name : `${prefix}/${name}`,
    linkName: textAt(block, 157, 100),
    mode: numberAt(block, 100, 8, offset),
    uid: numberAt(block, 108, 8, offset),
    gid: numberAt(block, 116, 8, offset),
    size: numberAt(block, 124, 12, offset),
    // Some writers leave rubbish there for everything but devices.
    major: isDevice ? numberAt(block, 329, 8, offset) : 0,
    minor: isDevice ? numberAt(block, 337, 8, offset) : 0,
  };
}
