import { closeSync, constants, fstatSync, openSync, realpathSync, statSync } from 'node:fs';
import { join, sep } from 'node:path';
import { failBuild } from '../error.ts';
import type { TarEntry } from '../tar/reader.ts';
import { tarEntries } from '../tar/reader.ts';
import type { Region } from '../tar/region.ts';
import { piecesOf } from '../tar/region.ts';
import { display, splitPath, toByteString } from '../tree/byte-path.ts';
import { decompressed, detectCompression, isDecompressorError } from './compression.ts';
import type { Spool } from './spool.ts';

/** An image as it lies on disk: files by name. */
export interface ImageArchive {
  /** The file of this name, or `undefined`. */
  find(name: string): Region | undefined;
  close(): void;
}

/** As many links as are followed from one name to the next. */
const MAX_LINKS = 8;

class FolderArchive implements ImageArchive {
  readonly #folder: string;
  readonly #open: number[] = [];

  constructor(folder: string) {
    this.#folder = realpathSync(folder);
  }

  find(name: string): Region | undefined {
    const path = join(this.#folder, ...splitPath(name));
    if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return undefined;
    const real = realpathSync(path);
    // A link in the folder must not bring in a file from outside of it.
    if (!real.startsWith(this.#folder + sep))
      failBuild('BUILD_PATH', 'expected a file inside of the image', { path: name });
    const fd = openSync(real, constants.O_RDONLY | constants.O_NOFOLLOW);
    this.#open.push(fd);
    return { fd, offset: 0, size: fstatSync(fd).size };
  }

  close(): void {
    for (const fd of this.#open) closeSync(fd);
  }
}

class TarArchive implements ImageArchive {
  readonly #fd: number;
  readonly #entries = new Map<string, TarEntry>();

  constructor(fd: number, region: Region) {
    this.#fd = fd;
    // Whatever is used of it has a digest of its own.
    for (const entry of tarEntries(region, { isWhole: true }))
      this.#entries.set(splitPath(entry.name).join('/'), entry);
  }

  find(name: string): Region | undefined {
    let at = splitPath(toByteString(name)).join('/');
    for (let links = 0; links <= MAX_LINKS; links += 1) {
      const entry = this.#entries.get(at);
      if (entry === undefined || entry.kind === 'folder') return undefined;
      if (entry.kind === 'file') return entry.content;
      at = this.#target(entry, at);
    }
    return failBuild('BUILD_PATH', `expected at most ${MAX_LINKS} links in a row`, { path: name });
  }

  close(): void {
    closeSync(this.#fd);
  }

  /** Old `docker save` stores a layer once, and links to it from elsewhere: `../<id>/layer.tar`. */
  #target({ kind, linkName }: TarEntry, at: string): string {
    if (kind === 'hard-link') return splitPath(linkName).join('/');
    if (kind !== 'symlink' || linkName.startsWith('/')) {
      failBuild('BUILD_PATH', 'expected a file inside of the image', { path: display(at) });
    }
    const names = at.split('/').slice(0, -1);
    for (const name of linkName.split('/')) {
      if (name === '' || name === '.') continue;
      if (name !== '..') names.push(name);
      else if (names.pop() === undefined) {
        failBuild('BUILD_PATH', 'expected a link inside of the image', { path: display(at) });
      }
    }
    return names.join('/');
  }
}

async function plainRegion(region: Region, spool: Spool, path: string): Promise<Region> {
  const compression = detectCompression(region);
  if (compression === 'none') return region;
  try {
    return await spool.append(decompressed(piecesOf(region), compression));
  } catch (cause) {
    if (!isDecompressorError(cause, spool.signal)) throw cause;
    return failBuild('BUILD_SOURCE', `expected an archive that ${compression} unpacks`, { cause, path });
  }
}

/** The tar archive at `path`, unpacked into the spool where it is compressed as a whole; the caller closes `fd`. */
export async function openTar(path: string, spool: Spool): Promise<{ fd: number; region: Region }> {
  const fd = openSync(path, 'r');
  try {
    return { fd, region: await plainRegion({ fd, offset: 0, size: fstatSync(fd).size }, spool, path) };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Opens a folder or a tar archive (also one that is compressed as a whole). */
export async function openImageArchive(path: string, spool: Spool): Promise<ImageArchive> {
  if (statSync(path).isDirectory()) return new FolderArchive(path);
  const { fd, region } = await openTar(path, spool);
  try {
    return new TarArchive(fd, region);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}
