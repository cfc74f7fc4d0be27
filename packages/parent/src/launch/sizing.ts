import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LaunchError } from './error.ts';

const MIB = 1_048_576;
/** The driver's own least, in MiB. */
const MIN_MEMORY_MIB = 64;
/** nitro-cli refuses less than 4 times the image: the ramdisks are unpacked into memory. */
const IMAGE_FACTOR = 4;

async function imageBytes(eifPath: string): Promise<number> {
  try {
    const { size } = await stat(eifPath);
    return size;
  } catch (cause) {
    throw new LaunchError('EIF_UNREADABLE', `expected an image at ${eifPath}, found none that can be read`, { cause });
  }
}

/** The least memory, in MiB, for an image of so many bytes. */
export function leastMemoryMiB(eifBytes: number): number {
  return Math.max(MIN_MEMORY_MIB, Math.ceil((eifBytes * IMAGE_FACTOR) / MIB));
}

async function freeBytesOf(folder: string, name: string): Promise<number> {
  const kib = Number(/^hugepages-(\d+)kB$/.exec(name)?.[1] ?? 0);
  const free = Number(await readFile(join(folder, name, 'free_hugepages'), 'utf8'));
  return kib * 1024 * free;
}

/** Free huge pages of every size together, in bytes; `undefined` where the kernel does not say. */
export async function freeHugepageBytes(folder = '/sys/kernel/mm/hugepages'): Promise<number | undefined> {
  const names = await readdir(folder).catch(() => undefined);
  if (names === undefined) return undefined;
  const free = await Promise.all(names.map((name) => freeBytesOf(folder, name)));
  return free.reduce((sum, bytes) => sum + bytes, 0);
}

/** What is asked for, to be held against what there is. */
export interface SizingRequest {
  readonly eifPath: string;
  readonly memoryMiB: number;
  /** Where the kernel tells of huge pages; default `/sys/kernel/mm/hugepages`. */
  readonly hugepagesFolder?: string;
}

/**
 * Checks before the start what nitro-cli finds out in the middle of it.
 * @throws {LaunchError} `EIF_UNREADABLE`, `MEMORY_TOO_SMALL`, `HUGEPAGES_MISSING`.
 */
export async function expectRoomFor({ eifPath, memoryMiB, hugepagesFolder }: SizingRequest): Promise<void> {
  const least = leastMemoryMiB(await imageBytes(eifPath));
  if (!(memoryMiB >= least))
    throw new LaunchError(
      'MEMORY_TOO_SMALL',
      `expected at least ${least} MiB for this image (4 times its size, and 64), found ${memoryMiB} MiB asked for`,
    );
  const free = await freeHugepageBytes(hugepagesFolder);
  if (free === undefined || free >= memoryMiB * MIB) return;
  throw new LaunchError(
    'HUGEPAGES_MISSING',
    `expected free huge pages of ${memoryMiB} MiB, found ${Math.floor(free / MIB)} MiB: raise memory_mib in /etc/nitro_enclaves/allocator.yaml and restart nitro-enclaves-allocator`,
  );
}

const RESERVED_CIDS: ReadonlySet<number> = new Set([0, 1, 2, 3, 0xffff_ffff]);

/** @throws {LaunchError} `ENCLAVE_CID` for one that no enclave can have. */
export function expectEnclaveCid(cid: number | undefined): void {
  if (cid === undefined) return;
  if (Number.isInteger(cid) && cid > 0 && cid <= 0xffff_ffff && !RESERVED_CIDS.has(cid)) return;
  throw new LaunchError('ENCLAVE_CID', `expected an enclave CID from 4 to 4294967294, found ${cid}`);
}
