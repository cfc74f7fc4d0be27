import { fail } from '../error.ts';

/** Numbers of the section types, as the format writes them. */
export const EIF_SECTION = {
  KERNEL: 1,
  CMDLINE: 2,
  RAMDISK: 3,
  SIGNATURE: 4,
  METADATA: 5,
} as const;

/** A section's kind. */
export type EifSectionType = 'kernel' | 'cmdline' | 'ramdisk' | 'signature' | 'metadata';

interface SectionRule {
  readonly number: number;
  /** First version of the format that knows this kind. */
  readonly sinceVersion: number;
}

const RULES: Readonly<Record<EifSectionType, SectionRule>> = {
  kernel: { number: EIF_SECTION.KERNEL, sinceVersion: 2 },
  cmdline: { number: EIF_SECTION.CMDLINE, sinceVersion: 2 },
  ramdisk: { number: EIF_SECTION.RAMDISK, sinceVersion: 2 },
  signature: { number: EIF_SECTION.SIGNATURE, sinceVersion: 3 },
  metadata: { number: EIF_SECTION.METADATA, sinceVersion: 4 },
};

const TYPES: ReadonlyMap<number, EifSectionType> = new Map(
  (Object.keys(RULES) as EifSectionType[]).map((type) => [RULES[type].number, type]),
);

/** Length of a section's header: u16 type, u16 flags, u64 size, big-endian. */
export const SECTION_HEADER_BYTES = 12;

/** Encodes the 12 bytes before a section's data. */
export function encodeSectionHeader(type: EifSectionType, size: number): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(SECTION_HEADER_BYTES);
  const view = new DataView(header.buffer);
  view.setUint16(0, RULES[type].number);
  view.setBigUint64(4, BigInt(size));
  return header;
}

/** A section's header as read. */
export interface EifSectionHeader {
  readonly type: EifSectionType;
  /** Length of the data that follows, in bytes. */
  readonly size: number;
}

function decodeType(number: number, version: number, offset: number): EifSectionType {
  if (number === 0)
    fail('EIF_SECTION_TYPE_INVALID', 'expected a section type from 1 to 5, found 0 (invalid)', { offset });
  const type = TYPES.get(number);
  // QEMU passes over types that it does not know and AWS's reader refuses them: one file, two images.
  if (type === undefined) {
    return fail('EIF_SECTION_TYPE_UNKNOWN', `expected a section type from 1 to 5, found ${number}`, { offset });
  }
  if (version < RULES[type].sinceVersion) {
    fail(
      'EIF_SECTION_TYPE_VERSION',
      `expected no ${type} section before version ${RULES[type].sinceVersion}, found one in version ${version}`,
      { offset },
    );
  }
  return type;
}

/** Reads an unsigned 64-bit integer that must be exact as a number: sizes beyond 2^53 - 1 are nobody's. */
export function readSafeInteger(view: DataView, at: number, offset: number): number {
  const value = view.getBigUint64(at);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
    fail('EIF_INTEGER_RANGE', `expected an integer up to 2^53 - 1, found ${value}`, { offset });
  }
  return Number(value);
}

/**
 * Decodes a section header of an image of `version`, found at `offset` of the file.
 * @throws {EifError} `EIF_SECTION_TYPE_INVALID`, `EIF_SECTION_TYPE_UNKNOWN`, `EIF_SECTION_TYPE_VERSION`,
 * `EIF_SECTION_FLAGS` or `EIF_INTEGER_RANGE`.
 */
export function decodeSectionHeader(bytes: Uint8Array, version: number, offset: number): EifSectionHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, SECTION_HEADER_BYTES);
  const type = decodeType(view.getUint16(0), version, offset);
  const flags = view.getUint16(2);
  if (flags !== 0) {
    fail('EIF_SECTION_FLAGS', `expected the ${type} section's flags to be 0, found ${flags}`, { offset: offset + 2 });
  }
  return { type, size: readSafeInteger(view, 4, offset + 4) };
}
