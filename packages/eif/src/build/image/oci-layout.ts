import type { EifArchitecture } from '../../format/header.ts';
import { failBuild } from '../error.ts';
import type { Region } from '../tar/region.ts';
import { piecesOf } from '../tar/region.ts';
import type { ImageArchive } from './archive.ts';
import type { Compression } from './compression.ts';
import { imageArchitecture } from './config.ts';
import { parseDigest, verified } from './digest.ts';
import type { JsonObject } from './json.ts';
import { expectObject, expectObjects, expectText, optionalText, readJson } from './json.ts';
import type { LayerSource, LocatedImage } from './located-image.ts';

/** Which of several images in a layout is meant. */
export interface ImageChoice {
  readonly reference: string | undefined;
  readonly architecture: EifArchitecture | undefined;
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations: JsonObject;
  /** `os/architecture`, when stated. */
  readonly platform: string | undefined;
}

const INDEX_TYPES: ReadonlySet<string> = new Set([
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
]);
const MANIFEST_TYPES: ReadonlySet<string> = new Set([
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
]);
const CONFIG_TYPES: ReadonlySet<string> = new Set([
  'application/vnd.oci.image.config.v1+json',
  'application/vnd.docker.container.image.v1+json',
]);
const LAYER_TYPES: ReadonlyMap<string, Compression> = new Map([
  ['application/vnd.oci.image.layer.v1.tar', 'none'],
  ['application/vnd.oci.image.layer.v1.tar+gzip', 'gzip'],
  ['application/vnd.oci.image.layer.v1.tar+zstd', 'zstd'],
  ['application/vnd.oci.image.layer.nondistributable.v1.tar', 'none'],
  ['application/vnd.oci.image.layer.nondistributable.v1.tar+gzip', 'gzip'],
  ['application/vnd.oci.image.layer.nondistributable.v1.tar+zstd', 'zstd'],
  ['application/vnd.docker.image.rootfs.diff.tar', 'none'],
  ['application/vnd.docker.image.rootfs.diff.tar.gzip', 'gzip'],
  ['application/vnd.docker.image.rootfs.diff.tar.zstd', 'zstd'],
  ['application/vnd.docker.image.rootfs.foreign.diff.tar.gzip', 'gzip'],
]);

const MAX_INDEX_DEPTH = 4;
/** Annotations that name an image: the OCI's, which Docker fills with the tag alone, and containerd's. */
const NAME_ANNOTATIONS = ['io.containerd.image.name', 'org.opencontainers.image.ref.name'] as const;

function decodePlatform(value: unknown, path: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  const platform = expectObject(value, path);
  return `${expectText(platform['os'], `${path}.os`)}/${expectText(platform['architecture'], `${path}.architecture`)}`;
}

function decodeDescriptor(json: JsonObject, path: string): Descriptor {
  const size = json['size'];
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
    return failBuild('BUILD_MANIFEST', 'expected a size in bytes', { path: `${path}.size` });
  }
  return {
    mediaType: expectText(json['mediaType'], `${path}.mediaType`),
    digest: expectText(json['digest'], `${path}.digest`),
    size,
    annotations: expectObject(json['annotations'] ?? {}, `${path}.annotations`),
    platform: decodePlatform(json['platform'], `${path}.platform`),
  };
}

function namesOf({ annotations }: Descriptor): string[] {
  return NAME_ANNOTATIONS.map((key) => optionalText(annotations[key], `$.annotations`)).filter(
    (name) => name !== undefined,
  );
}

function expectMediaType(descriptor: Descriptor, known: ReadonlySet<string>, what: string): void {
  if (known.has(descriptor.mediaType)) return;
  failBuild('BUILD_MEDIA_TYPE', `expected ${what}, found media type ${JSON.stringify(descriptor.mediaType)}`);
}

class OciLayout {
  readonly #archive: ImageArchive;
  readonly #choice: ImageChoice;

  constructor(archive: ImageArchive, choice: ImageChoice) {
    this.#archive = archive;
    this.#choice = choice;
  }

  locate(index: unknown): LocatedImage {
    const found = this.#manifestsIn(expectObject(index, 'index.json'), 'index.json', 0);
    const manifests = [...new Map(found.map((one) => [one.descriptor.digest, one])).values()];
    const [chosen] = manifests;
    const { reference, architecture } = this.#choice;
    const wanted = `${reference ?? 'any name'}, ${architecture ?? 'amd64 or arm64'}`;
    if (chosen === undefined) return failBuild('BUILD_PLATFORM', `expected an image for linux (${wanted}), found none`);
    if (manifests.length > 1) {
      const names = manifests.map(
        ({ name, descriptor }) => `${name ?? descriptor.digest} (${descriptor.platform ?? '?'})`,
      );
      failBuild('BUILD_IMAGE_AMBIGUOUS', `expected one image for linux (${wanted}), found ${names.join(', ')}`);
    }
    return this.#image(chosen.descriptor, chosen.name);
  }

  /** The image manifests that an index names, also through further indexes, as far as they are wanted. */
  #manifestsIn(index: JsonObject, path: string, depth: number): { descriptor: Descriptor; name: string | undefined }[] {
    if (depth > MAX_INDEX_DEPTH)
      failBuild('BUILD_MANIFEST', `expected at most ${MAX_INDEX_DEPTH} indexes, one in the other`);
    const descriptors = expectObjects(index['manifests'], `${path}: $.manifests`).map((json, position) =>
      decodeDescriptor(json, `${path}: $.manifests[${position}]`),
    );
    return descriptors
      .filter((descriptor) => depth > 0 || this.#isNamed(descriptor))
      .filter((descriptor) => this.#isForPlatform(descriptor))
      .flatMap((descriptor) => {
        const name = namesOf(descriptor)[0];
        if (!INDEX_TYPES.has(descriptor.mediaType)) {
          expectMediaType(descriptor, MANIFEST_TYPES, 'an image manifest or an index');
          return [{ descriptor, name }];
        }
        const inner = this.#json(descriptor);
        const manifests = this.#manifestsIn(expectObject(inner, descriptor.digest), descriptor.digest, depth + 1);
        return manifests.map((one) => ({ ...one, name: one.name ?? name }));
      });
  }

  #isNamed(descriptor: Descriptor): boolean {
    const { reference } = this.#choice;
    return reference === undefined || descriptor.digest === reference || namesOf(descriptor).includes(reference);
  }

  #isForPlatform({ platform }: Descriptor): boolean {
    // An index states no platform, nor must a manifest: then the configuration will.
    if (platform === undefined) return true;
    const [os, cpu = ''] = platform.split('/');
    const found = imageArchitecture(cpu);
    const { architecture } = this.#choice;
    return os === 'linux' && found !== undefined && (architecture === undefined || architecture === found);
  }

  #image(descriptor: Descriptor, name: string | undefined): LocatedImage {
    const path = descriptor.digest;
    const manifest = expectObject(this.#json(descriptor), path);
    const config = decodeDescriptor(expectObject(manifest['config'], `${path}: $.config`), `${path}: $.config`);
    expectMediaType(config, CONFIG_TYPES, "an image's configuration");
    const layers = expectObjects(manifest['layers'], `${path}: $.layers`).map((json, index) =>
      decodeDescriptor(json, `${path}: $.layers[${index}]`),
    );
    return {
      id: config.digest,
      names: name === undefined ? [] : [name],
      config: this.#json(config),
      layers: layers.map((layer) => this.#layer(layer)),
    };
  }

  #layer(descriptor: Descriptor): LayerSource {
    const compression = LAYER_TYPES.get(descriptor.mediaType);
    if (compression === undefined) {
      return failBuild(
        'BUILD_MEDIA_TYPE',
        `expected a layer of tar, tar+gzip or tar+zstd, found media type ${JSON.stringify(descriptor.mediaType)}`,
      );
    }
    return { name: descriptor.digest, region: this.#blob(descriptor), compression, digest: descriptor.digest };
  }

  #blob({ digest, size }: Descriptor): Region {
    const { algorithm, hex } = parseDigest(digest);
    const region = this.#archive.find(`blobs/${algorithm}/${hex}`);
    if (region === undefined) {
      return failBuild(
        'BUILD_BLOB_MISSING',
        'expected the blob in the layout: it is not there, and nothing is fetched',
        {
          path: digest,
        },
      );
    }
    if (region.size !== size) {
      failBuild('BUILD_DIGEST', `expected a blob of ${size} bytes, found ${region.size}`, { path: digest });
    }
    return region;
  }

  #json(descriptor: Descriptor): unknown {
    const region = this.#blob(descriptor);
    for (const _ of verified(piecesOf(region), descriptor.digest));
    return readJson(region, descriptor.digest);
  }
}

/** Finds the wanted image in an OCI image layout (OCI image specification, "Image Layout"). */
export function locateInOciLayout(archive: ImageArchive, index: unknown, choice: ImageChoice): LocatedImage {
  return new OciLayout(archive, choice).locate(index);
}
