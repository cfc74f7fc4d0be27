import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { TestTarEntry } from './tar-writer.ts';
import { tar } from './tar-writer.ts';

/** Files of an image by name. */
export type ImageFiles = Map<string, Buffer>;

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** A layer of a test image. */
export interface TestLayer {
  readonly entries: readonly TestTarEntry[];
  /** How it is stored. Default gzip. */
  readonly store?: { readonly mediaType: string; readonly pack: (plain: Buffer) => Buffer };
}

export const GZIP: NonNullable<TestLayer['store']> = {
  mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
  pack: (plain) => gzipSync(plain),
};
export const PLAIN: NonNullable<TestLayer['store']> = {
  mediaType: 'application/vnd.oci.image.layer.v1.tar',
  pack: (plain) => plain,
};

/** An image of a test. */
export interface TestImage {
  readonly layers: readonly TestLayer[];
  readonly config?: Readonly<Record<string, unknown>>;
  readonly architecture?: string;
  readonly os?: string;
  readonly name?: string;
  /** Changes the manifest before it is stored. */
  readonly editManifest?: (manifest: Record<string, unknown>) => void;
  readonly editConfig?: (config: Record<string, unknown>) => void;
}

function addBlob(files: ImageFiles, bytes: Buffer): { digest: string; size: number } {
  files.set(`blobs/sha256/${sha256(bytes)}`, bytes);
  return { digest: `sha256:${sha256(bytes)}`, size: bytes.length };
}

function configOf(image: TestImage, plain: readonly Buffer[]): Buffer {
  const config: Record<string, unknown> = {
    architecture: image.architecture ?? 'amd64',
    os: image.os ?? 'linux',
    config: image.config ?? { Entrypoint: ['/app'], Env: ['SECRET_TOKEN=swordfish'] },
    rootfs: { type: 'layers', diff_ids: plain.map((bytes) => `sha256:${sha256(bytes)}`) },
  };
  image.editConfig?.(config);
  return Buffer.from(JSON.stringify(config));
}

/** Stores an image's blobs and returns the descriptor of its manifest. */
function addImage(files: ImageFiles, image: TestImage): Record<string, unknown> {
  const plain = image.layers.map(({ entries }) => tar(entries));
  const manifest: Record<string, unknown> = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...addBlob(files, configOf(image, plain)) },
    layers: image.layers.map(({ store = GZIP }, index) => ({
      mediaType: store.mediaType,
      ...addBlob(files, store.pack(plain[index] ?? Buffer.alloc(0))),
    })),
  };
  image.editManifest?.(manifest);
  return {
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    ...addBlob(files, Buffer.from(JSON.stringify(manifest))),
    platform: { os: image.os ?? 'linux', architecture: image.architecture ?? 'amd64' },
    ...(image.name === undefined ? {} : { annotations: { 'org.opencontainers.image.ref.name': image.name } }),
  };
}

/** An OCI image layout with these images. */
export function ociLayout(...images: readonly TestImage[]): ImageFiles {
  const files: ImageFiles = new Map();
  files.set('oci-layout', Buffer.from('{"imageLayoutVersion":"1.0.0"}'));
  const manifests = images.map((image) => addImage(files, image));
  files.set('index.json', Buffer.from(JSON.stringify({ schemaVersion: 2, manifests })));
  return files;
}

/** The same, behind an index of platforms, as `docker buildx` writes it. */
export function nestedLayout(name: string, ...images: readonly TestImage[]): ImageFiles {
  const files = ociLayout();
  const manifests = images.map((image) => addImage(files, image));
  const inner = addBlob(files, Buffer.from(JSON.stringify({ schemaVersion: 2, manifests })));
  const outer = {
    mediaType: 'application/vnd.oci.image.index.v1+json',
    ...inner,
    annotations: { 'io.containerd.image.name': name },
  };
  files.set('index.json', Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: [outer] })));
  return files;
}

/** What `docker save` wrote before version 25: plain layers in folders of their own. */
export function dockerSave(...images: readonly TestImage[]): ImageFiles {
  const files: ImageFiles = new Map();
  const manifest = images.map((image) => {
    const plain = image.layers.map(({ entries }) => tar(entries));
    const config = configOf(image, plain);
    files.set(`${sha256(config)}.json`, config);
    const names = plain.map((bytes, index) => `${sha256(bytes).slice(0, 12)}${index}/layer.tar`);
    for (const [index, bytes] of plain.entries()) {
      files.set(names[index] ?? '', image.layers[index]?.store?.pack(bytes) ?? bytes);
    }
    return {
      Config: `${sha256(config)}.json`,
      RepoTags: image.name === undefined ? null : [image.name],
      Layers: names,
    };
  });
  files.set('manifest.json', Buffer.from(JSON.stringify(manifest)));
  return files;
}

/** Writes an image as a folder. */
export function writeFolder(folder: string, files: ImageFiles): string {
  for (const [name, bytes] of files) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), bytes);
  }
  return folder;
}

/** Writes an image as a tar archive. */
export function writeTar(path: string, files: ImageFiles, extra: readonly TestTarEntry[] = []): string {
  const entries = [...files].map(([name, content]) => ({ name, content }));
  writeFileSync(path, tar([...entries, ...extra]));
  return path;
}
