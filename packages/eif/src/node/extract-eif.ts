import { lstat, mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { looksLikeArchive } from '../cpio/reader.ts';
import { fail } from '../error.ts';
import type { EifSectionType } from '../format/section.ts';
import { ByteReader } from '../read/byte-reader.ts';
import type { Eif } from '../read/read-eif.ts';
import { decodeWalkedEif, expectCrc } from '../read/read-eif.ts';
import type { EifSection, ReadEifOptions } from '../read/walk.ts';
import { walkEif } from '../read/walk.ts';
import type { NodeEifSource } from './file-source.ts';
import { withSource } from './file-source.ts';
import { nodePlatform } from './platform.ts';
import { temporaryName } from './temporary-name.ts';
import type { SkippedEntry } from './unpacker.ts';
import { Unpacker } from './unpacker.ts';

/** Options of {@link extractEif}. */
export interface ExtractEifOptions extends ReadEifOptions {
  /**
   * Whether the ramdisks' files are unpacked, into `initramfs/`, instead of the ramdisks being written as they are, into
   * `ramdisk-0.cpio` and so on. Default true.
   */
  readonly unpack?: boolean;
}

/** What {@link extractEif} has written. */
export interface ExtractedEif {
  readonly eif: Eif;
  /** The folder. */
  readonly folder: string;
  /** Files that were left out. */
  readonly skipped: readonly SkippedEntry[];
  /** Numbers of the ramdisks that were written as they are because they are no archives. */
  readonly notUnpacked: readonly number[];
}

const KEPT_FILES: ReadonlyMap<EifSectionType, string> = new Map([
  ['cmdline', 'cmdline'],
  ['metadata', 'metadata.json'],
  ['signature', 'signature.cbor'],
]);

async function writePieces(path: string, pieces: AsyncIterable<Uint8Array>): Promise<void> {
  const file = await open(path, 'wx');
  try {
    for await (const piece of pieces) await file.writeFile(piece);
  } finally {
    await file.close();
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}

/** Writes everything into `folder`, which is there and empty. */
async function extractInto(
  source: NodeEifSource,
  folder: string,
  { unpack = true, ...options }: ExtractEifOptions,
): Promise<Omit<ExtractedEif, 'folder'>> {
  const unpacker = new Unpacker(join(folder, 'initramfs'));
  if (unpack) await mkdir(join(folder, 'initramfs'));
  const notUnpacked: number[] = [];
  let ramdisks = 0;
  const visit = async ({ type }: EifSection, data: AsyncIterable<Uint8Array>): Promise<void> => {
    if (type === 'kernel') return writePieces(join(folder, 'kernel'), data);
    if (type !== 'ramdisk') return;
    const ramdisk = ramdisks;
    ramdisks += 1;
    const reader = new ByteReader(data);
    if (unpack && looksLikeArchive(await reader.peekBytes(2))) return unpacker.unpack(reader.rest(), options.signal);
    if (unpack) notUnpacked.push(ramdisk);
    return writePieces(join(folder, `ramdisk-${ramdisk}.cpio`), reader.rest());
  };
  const walkOptions = { ...options, platform: nodePlatform, visit };
  const walked = await withSource(source, (opened) => walkEif(opened, walkOptions));
  expectCrc(walked);
  await unpacker.finish();
  for (const [type, bytes] of walked.kept) await writeFile(join(folder, KEPT_FILES.get(type) ?? type), bytes);
  const eif = decodeWalkedEif(walked, walkOptions);
  if (eif.signature !== undefined) await writeFile(join(folder, 'certificate.pem'), eif.signature.certificatePem);
  return { eif, skipped: unpacker.skipped, notUnpacked };
}

/**
 * Takes an image apart: `kernel`, `cmdline`, `metadata.json`, `signature.cbor` and `certificate.pem` where there are any,
 * and the files of all ramdisks, one over the other, under `initramfs/`. Owners are this process's own; setuid and setgid
 * are left out, and so are devices, pipes and sockets (see `skipped`); a ramdisk that is no archive is written as it is. No path leads out of `folder`. `folder` appears
 * only once the whole image has been read and found well-formed.
 * @throws {EifError} as `readEif`; a `CPIO_…` code; `EIF_TARGET_EXISTS` when `folder` is there; `EIF_EXTRACT_PATH` for a
 * path that cannot be made.
 */
export async function extractEif(
  source: NodeEifSource,
  folder: string,
  options: ExtractEifOptions = {},
): Promise<ExtractedEif> {
  if (await exists(folder)) fail('EIF_TARGET_EXISTS', `expected nothing at ${folder}, found something`);
  const temporary = temporaryName(folder);
  await mkdir(temporary, 0o700);
  try {
    const extracted = await extractInto(source, temporary, options);
    await rename(temporary, folder);
    return { ...extracted, folder };
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw error;
  }
}
