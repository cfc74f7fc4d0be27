import { fail } from '../error.ts';
import { readSafeInteger, SECTION_HEADER_BYTES } from './section.ts';

/** Length of the header, in bytes. */
export const HEADER_BYTES = 548;
/** Most sections that the header's two tables can hold. */
export const MAX_SECTIONS = 32;
/** Where in the header the CRC-32 stands: its last four bytes, the only ones of the file that it does not cover. */
export const CRC_OFFSET = 0x220;
/** The version that is written. */
export const CURRENT_VERSION = 4;

/** What AWS's builder writes into fields that the platform ignores: 1 GiB and 2 CPUs. */
export const DEFAULT_MEMORY: number = 1024 ** 3;
export const DEFAULT_CPUS = 2;

const MAGIC = 0x2e656966; // ".eif"
const OLDEST_VERSION = 2;
const FLAG_AARCH64 = 1;
const FIELD = {
  MAGIC: 0,
  VERSION: 4,
  FLAGS: 6,
  DEFAULT_MEM: 8,
  DEFAULT_CPUS: 0x10,
  RESERVED: 0x18,
  NUM_SECTIONS: 0x1a,
  SECTION_OFFSETS: 0x1c,
  SECTION_SIZES: 0x11c,
  UNUSED: 0x21c,
} as const;

/** The CPU that an image is for: bit 0 of the header's flags. */
export type EifArchitecture = 'x86_64' | 'aarch64';

/** The header of an image. No PCR covers any of it; the CRC guards against accidents only. */
export interface EifHeader {
  /** Version of the format: 2, 3 (signatures) or 4 (metadata). */
  readonly version: number;
  readonly architecture: EifArchitecture;
  /** The 16 flag bits that `architecture` came from. */
  readonly flags: number;
  /** Bytes of memory; ignored by the platform. */
  readonly defaultMemory: number;
  /** Count of CPUs; ignored by the platform. */
  readonly defaultCpus: number;
  /** Offsets of the section headers from the start of the file, one for each section. */
  readonly sectionOffsets: readonly number[];
  /** Lengths of the sections' data, in bytes, without their headers. */
  readonly sectionSizes: readonly number[];
  /** CRC-32 (ISO-HDLC) of the whole file but these four bytes. */
  readonly crc32: number;
}

function checkFixedFields(view: DataView): void {
  if (view.getUint32(FIELD.MAGIC) !== MAGIC)
    fail('EIF_MAGIC', 'expected an enclave image to begin with ".eif"', { offset: 0 });
  const version = view.getUint16(FIELD.VERSION);
  if (version < OLDEST_VERSION || version > CURRENT_VERSION) {
    fail('EIF_VERSION', `expected format version 2, 3 or 4, found ${version}`, { offset: FIELD.VERSION });
  }
  const flags = view.getUint16(FIELD.FLAGS);
  if ((flags & ~FLAG_AARCH64) !== 0) {
    fail('EIF_HEADER_FLAGS', `expected header flags 0 (x86_64) or 1 (aarch64), found ${flags}`, {
      offset: FIELD.FLAGS,
    });
  }
  const reserved = view.getUint16(FIELD.RESERVED);
  if (reserved !== 0) {
    fail('EIF_HEADER_RESERVED', `expected the reserved field to be 0, found ${reserved}`, { offset: FIELD.RESERVED });
  }
  const unused = view.getUint32(FIELD.UNUSED);
  if (unused !== 0)
    fail('EIF_HEADER_UNUSED', `expected the unused field to be 0, found ${unused}`, { offset: FIELD.UNUSED });
}

function readSectionCount(view: DataView): number {
  const count = view.getUint16(FIELD.NUM_SECTIONS);
  if (count >= 2 && count <= MAX_SECTIONS) return count;
  return fail('EIF_SECTION_COUNT', `expected 2 to ${MAX_SECTIONS} sections, found ${count}`, {
    offset: FIELD.NUM_SECTIONS,
  });
}

/** One of the header's two tables; what stands behind the last section must be zero. */
function readTable(view: DataView, start: number, count: number): number[] {
  const table: number[] = [];
  for (let index = 0; index < MAX_SECTIONS; index += 1) {
    const at = start + index * 8;
    const value = readSafeInteger(view, at, at);
    if (index < count) table.push(value);
    else if (value !== 0) {
      fail('EIF_TABLE_UNUSED_ENTRY', `expected 0 in entry ${index}, beyond the ${count} sections, found ${value}`, {
        offset: at,
      });
    }
  }
  return table;
}

/** AWS's reader walks section after section and QEMU follows the table: both must find the same sections. */
function checkTable(offsets: readonly number[], sizes: readonly number[]): void {
  let expected = HEADER_BYTES;
  for (const [index, found] of offsets.entries()) {
    const offset = FIELD.SECTION_OFFSETS + index * 8;
    if (index === 0 && found !== expected) {
      fail('EIF_TABLE_FIRST_OFFSET', `expected the first section at ${expected}, found ${found}`, { offset });
    }
    const sentence = `expected section ${index} at ${expected}, where the one before it ends, found ${found}`;
    if (found < expected) fail('EIF_TABLE_OVERLAP', sentence, { offset });
    if (found > expected) fail('EIF_TABLE_GAP', sentence, { offset });
    expected = found + SECTION_HEADER_BYTES + (sizes[index] ?? 0);
    if (!Number.isSafeInteger(expected)) {
      fail('EIF_INTEGER_RANGE', `expected section ${index} to end before 2^53`, {
        offset: FIELD.SECTION_SIZES + index * 8,
      });
    }
  }
}

/** Where the last section ends, and the file has to. */
export function declaredLength({ sectionOffsets, sectionSizes }: EifHeader): number {
  return (sectionOffsets.at(-1) ?? 0) + SECTION_HEADER_BYTES + (sectionSizes.at(-1) ?? 0);
}

/**
 * Decodes the first 548 bytes of an image. The two tables are checked against each other here, and against the section
 * headers by the walk.
 * @throws {EifError} with the code of the first rule that the bytes break.
 */
export function decodeHeader(bytes: Uint8Array): EifHeader {
  if (bytes.length < HEADER_BYTES) {
    fail('EIF_HEADER_TRUNCATED', `expected a header of ${HEADER_BYTES} bytes, found ${bytes.length}`, {
      offset: bytes.length,
    });
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  checkFixedFields(view);
  const count = readSectionCount(view);
  const sectionOffsets = readTable(view, FIELD.SECTION_OFFSETS, count);
  const sectionSizes = readTable(view, FIELD.SECTION_SIZES, count);
  checkTable(sectionOffsets, sectionSizes);
  const flags = view.getUint16(FIELD.FLAGS);
  return {
    version: view.getUint16(FIELD.VERSION),
    architecture: flags === FLAG_AARCH64 ? 'aarch64' : 'x86_64',
    flags,
    defaultMemory: readSafeInteger(view, FIELD.DEFAULT_MEM, FIELD.DEFAULT_MEM),
    defaultCpus: readSafeInteger(view, FIELD.DEFAULT_CPUS, FIELD.DEFAULT_CPUS),
    sectionOffsets,
    sectionSizes,
    crc32: view.getUint32(CRC_OFFSET),
  };
}

/** What {@link encodeHeader} needs; `flags` follow from `architecture`. */
export type EncodableHeader = Omit<EifHeader, 'flags'>;

/** Encodes a header: 548 bytes. */
export function encodeHeader(header: EncodableHeader): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(FIELD.MAGIC, MAGIC);
  view.setUint16(FIELD.VERSION, header.version);
  view.setUint16(FIELD.FLAGS, header.architecture === 'aarch64' ? FLAG_AARCH64 : 0);
  view.setBigUint64(FIELD.DEFAULT_MEM, BigInt(header.defaultMemory));
  view.setBigUint64(FIELD.DEFAULT_CPUS, BigInt(header.defaultCpus));
  view.setUint16(FIELD.NUM_SECTIONS, header.sectionOffsets.length);
  for (const [index, offset] of header.sectionOffsets.entries()) {
    view.setBigUint64(FIELD.SECTION_OFFSETS + index * 8, BigInt(offset));
  }
  for (const [index, size] of header.sectionSizes.entries()) {
    view.setBigUint64(FIELD.SECTION_SIZES + index * 8, BigInt(size));
  }
  view.setUint32(CRC_OFFSET, header.crc32);
  return bytes;
}
