import { setImmediate as yieldToOthers } from 'node:timers/promises';
import { failBuild } from '../error.ts';
import type { Region } from '../tar/region.ts';
import { piecesOf } from '../tar/region.ts';
import { LayeredTree } from '../tree/layers.ts';
import type { FolderNode } from '../tree/node.ts';
import type { ImageArchive } from './archive.ts';
import { decompressed, isDecompressorError } from './compression.ts';
import type { ImageConfig } from './config.ts';
import { decodeImageConfig } from './config.ts';
import { verified, verifiedAsync } from './digest.ts';
import { locateInDockerSave } from './docker-save.ts';
import { readJson } from './json.ts';
import type { LayerSource, LocatedImage } from './located-image.ts';
import type { ImageChoice } from './oci-layout.ts';
import { locateInOciLayout } from './oci-layout.ts';
import type { Spool } from './spool.ts';

/** An image, its layers laid one over the other. */
export interface LoadedImage {
  readonly rootfs: FolderNode;
  readonly config: ImageConfig;
  readonly id: string;
  readonly names: readonly string[];
  /** Files that lost extended attributes. */
  readonly withoutAttributes: readonly string[];
}

/** How {@link loadImage} loads. */
export interface LoadOptions {
  readonly choice: ImageChoice;
  /** Takes layers that had to be unpacked. */
  readonly spool: Spool;
  readonly signal: AbortSignal | undefined;
}

function locate(archive: ImageArchive, choice: ImageChoice): LocatedImage {
  const index = archive.find('index.json');
  if (index !== undefined && archive.find('oci-layout') !== undefined) {
    return locateInOciLayout(archive, readJson(index, 'index.json'), choice);
  }
  const manifest = archive.find('manifest.json');
  if (manifest === undefined) {
    return failBuild(
      'BUILD_SOURCE',
      'expected an OCI image layout (oci-layout, index.json) or docker save (manifest.json)',
    );
  }
  return locateInDockerSave(archive, readJson(manifest, 'manifest.json'), choice.reference);
}

/** Reads all pieces, for the digests' sake, a turn of the event loop each. */
async function readThrough(pieces: Iterable<Uint8Array>, signal: AbortSignal | undefined): Promise<void> {
  for (const _ of pieces) {
    await yieldToOthers();
    signal?.throwIfAborted();
  }
}

/** The layer as a plain tar archive, once its digests are known to be right. */
async function unpackLayer(
  { region, compression, digest, name }: LayerSource,
  diffId: string,
  { spool, signal }: Pick<LoadOptions, 'spool' | 'signal'>,
): Promise<Region> {
  const pieces = digest === undefined ? piecesOf(region) : verified(piecesOf(region), digest);
  if (compression === 'none') {
    await readThrough(verified(pieces, diffId), signal);
    return region;
  }
  try {
    return await spool.append(verifiedAsync(decompressed(pieces, compression), diffId));
  } catch (cause) {
    if (!isDecompressorError(cause, signal)) throw cause;
    return failBuild('BUILD_LAYER', `expected a layer that ${compression} unpacks`, { cause, path: name });
  }
}

/**
 * Reads an image out of an OCI layout or a `docker save` archive. Contents stay where they are, or in the spool.
 * @throws {EifBuildError}
 */
export async function loadImage(archive: ImageArchive, options: LoadOptions): Promise<LoadedImage> {
  const { choice, signal } = options;
  const image = locate(archive, choice);
  const config = decodeImageConfig(image.config);
  if (choice.architecture !== undefined && choice.architecture !== config.architecture) {
    failBuild('BUILD_PLATFORM', `expected an image for ${choice.architecture}, found one for ${config.architecture}`);
  }
  if (config.diffIds.length !== image.layers.length) {
    failBuild(
      'BUILD_MANIFEST',
      `expected ${image.layers.length} diff_ids, one a layer, found ${config.diffIds.length}`,
    );
  }
  const tree = new LayeredTree();
  for (const [index, layer] of image.layers.entries()) {
    signal?.throwIfAborted();
    tree.apply(await unpackLayer(layer, config.diffIds[index] ?? '', options), { isWhole: true });
  }
  return { rootfs: tree.root, config, id: image.id, names: image.names, withoutAttributes: tree.withoutAttributes };
}
