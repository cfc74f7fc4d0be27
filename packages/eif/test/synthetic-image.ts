import { crc32 } from 'node:zlib';

/** Section types by their numbers in the format, so that tests can write what no builder would. */
export const TYPE = { invalid: 0, kernel: 1, cmdline: 2, ramdisk: 3, signature: 4, metadata: 5 } as const;

/** A section to write. */
export interface SyntheticSection {
  readonly type: number;
  readonly data: Uint8Array;
  readonly flags?: number;
  /** What its header says, when that is not the data's length. */
  readonly size?: bigint;
}

/** What to write into the header instead of what belongs there. */
export interface SyntheticHeader {
  readonly magic?: string;
  readonly version?: number;
  readonly flags?: number;
  readonly defaultMemory?: bigint;
  readonly defaultCpus?: bigint;
  readonly reserved?: number;
  readonly count?: number;
  readonly unused?: number;
  readonly crc?: number;
  readonly offsets?: ReadonlyMap<number, bigint>;
  readonly sizes?: ReadonlyMap<number, bigint>;
}

const text = (content: string): Buffer => Buffer.from(content);

/** Metadata as nitro-cli writes them. */
export const METADATA = {
  ImageName: 'hello',
  ImageVersion: '1.0',
  BuildMetadata: {
    BuildTime: '2024-01-02T03:04:05+00:00',
    BuildTool: 'nitro-cli',
    BuildToolVersion: '1.4.0',
    OperatingSystem: 'Linux',
    KernelVersion: '6.6.79',
  },
  DockerInfo: null,
  CustomMetadata: null,
};

export const kernel = (content = 'kernel'): SyntheticSection => ({ type: TYPE.kernel, data: text(content) });
export const cmdline = (content = 'reboot=k panic=30'): SyntheticSection => ({
  type: TYPE.cmdline,
  data: text(content),
});
export const ramdisk = (content: Uint8Array | string = 'ramdisk'): SyntheticSection => ({
  type: TYPE.ramdisk,
  data: Buffer.from(content),
});
export const metadata = (value: unknown = METADATA): SyntheticSection => ({
  type: TYPE.metadata,
  data: text(typeof value === 'string' ? value : JSON.stringify(value)),
});

/** Every image has these. */
export const SECTIONS: readonly SyntheticSection[] = [kernel(), cmdline(), metadata(), ramdisk('boot'), ramdisk('app')];

/** Writes an image by the format's description alone, with the wrong values that `header` asks for. */
export function syntheticImage(
  sections: readonly SyntheticSection[] = SECTIONS,
  header: SyntheticHeader = {},
): Uint8Array<ArrayBuffer> {
  const head = Buffer.alloc(548);
  head.write(header.magic ?? '.eif', 0, 'latin1');
  head.writeUInt16BE(header.version ?? 4, 4);
  head.writeUInt16BE(header.flags ?? 0, 6);
  head.writeBigUInt64BE(header.defaultMemory ?? 1024n ** 3n, 8);
  head.writeBigUInt64BE(header.defaultCpus ?? 2n, 16);
  head.writeUInt16BE(header.reserved ?? 0, 24);
  head.writeUInt16BE(header.count ?? sections.length, 26);
  head.writeUInt32BE(header.unused ?? 0, 0x21c);
  const body: Buffer[] = [];
  let offset = 548;
  for (const [index, { type, data, flags = 0, size = BigInt(data.length) }] of sections.entries()) {
    const sectionHeader = Buffer.alloc(12);
    sectionHeader.writeUInt16BE(type, 0);
    sectionHeader.writeUInt16BE(flags, 2);
    sectionHeader.writeBigUInt64BE(size, 4);
    body.push(sectionHeader, Buffer.from(data));
    if (index < 32) {
      head.writeBigUInt64BE(BigInt(offset), 0x1c + index * 8);
      head.writeBigUInt64BE(BigInt(data.length), 0x11c + index * 8);
    }
    offset += 12 + data.length;
  }
  for (const [index, value] of header.offsets ?? []) head.writeBigUInt64BE(value, 0x1c + index * 8);
  for (const [index, value] of header.sizes ?? []) head.writeBigUInt64BE(value, 0x11c + index * 8);
  return withCrc(Buffer.concat([head, ...body]), header.crc);
}

/** The image with the CRC that belongs to its bytes, or with `crc`. */
export function withCrc(image: Uint8Array, crc?: number): Uint8Array<ArrayBuffer> {
  const bytes = Buffer.from(image);
  bytes.writeUInt32BE(crc ?? crc32(bytes.subarray(548), crc32(bytes.subarray(0, 0x220))), 0x220);
  return new Uint8Array(bytes);
}

/** An entry of a synthetic archive. */
export interface SyntheticFile {
  readonly name: string;
  /** Type and permissions, such as 0o100644. */
  readonly mode?: number;
  readonly content?: string;
  readonly inode?: number;
  readonly links?: number;
  readonly mtime?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly device?: readonly [number, number];
  readonly magic?: string;
  readonly checksum?: number;
  readonly size?: number;
}

const hex = (value: number): string => value.toString(16).padStart(8, '0');
const padded = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);

/** Writes one entry of a cpio archive in the newc form, by the form's description alone. */
export function cpioEntry(file: SyntheticFile, inode: number): Buffer {
  const content = text(file.content ?? '');
  const name = text(`${file.name}\0`);
  const [major, minor] = file.device ?? [0, 0];
  const fields = [
    file.inode ?? inode,
    file.mode ?? 0o100644,
    file.uid ?? 0,
    file.gid ?? 0,
    file.links ?? 1,
    file.mtime ?? 1_500_000_000,
    file.size ?? content.length,
    3,
    1,
    major,
    minor,
    name.length,
    file.checksum ?? 0,
  ];
  const fixed = text((file.magic ?? '070701') + fields.map(hex).join(''));
  return Buffer.concat([padded(Buffer.concat([fixed, name])), padded(content)]);
}

/** Writes an archive, closed by its trailer and padded to 512 bytes. */
export function cpioArchive(files: readonly SyntheticFile[]): Buffer {
  const entries = files.map((file, index) => cpioEntry(file, index + 721));
  const archive = Buffer.concat([...entries, cpioEntry({ name: 'TRAILER!!!', mode: 0 }, 0)]);
  return Buffer.concat([archive, Buffer.alloc((512 - (archive.length % 512)) % 512)]);
}
