import { createHash } from 'node:crypto';
import { failBuild } from '../error.ts';
import type { Region } from '../tar/region.ts';
import { piecesOf } from '../tar/region.ts';
import type { ImageArchive } from './archive.ts';
import { detectCompression } from './compression.ts';
import type { JsonObject } from './json.ts';
import { expectObjects, expectText, expectTexts, optionalTexts, readJson } from './json.ts';
import type { LocatedImage } from './located-image.ts';

function namesOf(image: JsonObject): readonly string[] {
  return optionalTexts(image['RepoTags'], 'manifest.json: $[].RepoTags') ?? [];
}

function choose(images: readonly JsonObject[], reference: string | undefined): JsonObject {
  const wanted = reference === undefined ? images : images.filter((image) => namesOf(image).includes(reference));
  const [image] = wanted;
  const names = images.flatMap(namesOf).join(', ');
  if (image === undefined) {
    return failBuild(
      'BUILD_PLATFORM',
      `expected image ${reference ?? ''} in manifest.json, found ${names || 'no name'}`,
    );
  }
  if (wanted.length > 1) failBuild('BUILD_IMAGE_AMBIGUOUS', `expected one image, or its name given, found ${names}`);
  return image;
}

function file(archive: ImageArchive, name: string): Region {
  return (
    archive.find(name) ??
    failBuild('BUILD_BLOB_MISSING', 'expected the file that manifest.json names: it is not there', { path: name })
  );
}

/** Finds the wanted image in an archive of `docker save` as Docker before version 25 writes it. */
export function locateInDockerSave(
  archive: ImageArchive,
  manifest: unknown,
  reference: string | undefined,
): LocatedImage {
  const image = choose(expectObjects(manifest, 'manifest.json: $'), reference);
  const configName = expectText(image['Config'], 'manifest.json: $[].Config');
  const config = file(archive, configName);
  const hash = createHash('sha256');
  for (const piece of piecesOf(config)) hash.update(piece);
  const layers = expectTexts(image['Layers'], 'manifest.json: $[].Layers');
  return {
    id: `sha256:${hash.digest('hex')}`,
    names: namesOf(image),
    config: readJson(config, configName),
    layers: layers.map((name) => {
      const region = file(archive, name);
      // No media type is stated: the layer's own first bytes are all there is.
      return { name, region, compression: detectCompression(region), digest: undefined };
    }),
  };
}
