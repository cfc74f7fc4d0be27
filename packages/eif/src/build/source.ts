import { closeSync, statSync } from 'node:fs';
import type { EifArchitecture } from '../format/header.ts';
import type { SourceIdentity } from './boot/metadata.ts';
import type { ImageCommand } from './command/image-command.ts';
import { failBuild } from './error.ts';
import { openImageArchive, openTar } from './image/archive.ts';
import type { LoadedImage } from './image/load.ts';
import { loadImage } from './image/load.ts';
import { Spool } from './image/spool.ts';
import { LayeredTree } from './tree/layers.ts';
import type { FolderNode } from './tree/node.ts';
import { readRootFolder } from './tree/root-folder.ts';

/** Where the image's files come from: one of `image` and `rootfs`. */
export interface SourceOptions {
  /** An OCI image layout (a folder or a tar archive), or what `docker save` writes. */
  readonly image?: string;
  /** Which of several images: its name with the tag, or its manifest's digest. */
  readonly reference?: string;
  /** A folder with a root file system, or a tar archive of one, as `docker export` writes. */
  readonly rootfs?: string;
  /** Whether owners and permissions of a `rootfs` folder are kept as they are on disk. Default false: see the README. */
  readonly preserveAttributes?: boolean;
  /** Default: the image's, or the kernel's. */
  readonly architecture?: EifArchitecture;
  readonly signal?: AbortSignal;
}

/** Something that does not stop the build, but may stop the enclave. */
export interface BuildWarning {
  readonly code: 'KERNEL_UNKNOWN' | 'USER_IGNORED' | 'WORKING_DIRECTORY_IGNORED' | 'ATTRIBUTES_DROPPED';
  readonly message: string;
}

/** A root file system with what its source says about it. */
export interface ImageSource {
  readonly rootfs: FolderNode;
  readonly command: ImageCommand;
  readonly identity: SourceIdentity;
  readonly architecture: EifArchitecture | undefined;
  readonly warnings: readonly BuildWarning[];
}

const PLAIN: Omit<ImageSource, 'rootfs'> = {
  command: {},
  identity: { name: 'enclave', version: '1.0', info: null },
  architecture: undefined,
  warnings: [],
};

function attributeWarnings(paths: readonly string[]): BuildWarning[] {
  const [first] = paths;
  if (first === undefined) return [];
  const message = `extended attributes (such as capabilities) of ${paths.length} files are lost, "${first}" among them`;
  return [{ code: 'ATTRIBUTES_DROPPED', message }];
}

/** A name without its tag: the colon of a registry's port is not a tag's. */
function withoutTag(name: string): string {
  return name.replace(/:[^:/]*$/, '');
}

function imageSource({ rootfs, config, id, names, withoutAttributes }: LoadedImage): ImageSource {
  const info = {
    Id: id,
    RepoTags: names,
    ...(config.created === undefined ? {} : { Created: config.created }),
    Architecture: config.architecture === 'aarch64' ? 'arm64' : 'amd64',
    Os: config.os,
    RootFS: { Type: 'layers', Layers: config.diffIds },
  };
  return {
    rootfs,
    command: config.command,
    identity: { name: withoutTag(names[0] ?? 'enclave'), version: id.replace(/^sha256:/, ''), info },
    architecture: config.architecture,
    warnings: attributeWarnings(withoutAttributes),
  };
}

/** An option that means nothing for this source would be taken for one that has been followed. */
function expectOptionsOf({ image, reference, preserveAttributes }: SourceOptions): void {
  if (image === undefined && reference !== undefined) {
    failBuild('BUILD_OPTION', 'expected reference with an image only: a root file system is one alone');
  }
  if (image !== undefined && preserveAttributes) {
    failBuild('BUILD_OPTION', 'expected preserveAttributes with rootfs only: an image keeps them anyway');
  }
}

/** Keeps open what contents are read from, until it is disposed of. */
export class OpenSource {
  readonly #spool: Spool;
  readonly #closers: (() => void)[] = [];

  constructor(output: string, signal: AbortSignal | undefined) {
    this.#spool = new Spool(output, signal);
    this.#closers.push(() => this.#spool.close());
  }

  /** @throws {EifBuildError} with the code of what is wrong with the source. */
  async read(options: SourceOptions): Promise<ImageSource> {
    const { image, rootfs } = options;
    expectOptionsOf(options);
    if (image !== undefined && rootfs === undefined) return this.#image(image, options);
    if (rootfs === undefined || image !== undefined) failBuild('BUILD_OPTION', 'expected one of image and rootfs');
    if (statSync(rootfs).isDirectory()) return { ...PLAIN, rootfs: await readRootFolder(rootfs, options) };
    return this.#rootArchive(rootfs);
  }

  [Symbol.dispose](): void {
    for (const close of this.#closers) close();
  }

  async #image(path: string, { reference, architecture, signal }: SourceOptions): Promise<ImageSource> {
    const archive = await openImageArchive(path, this.#spool);
    this.#closers.push(() => archive.close());
    return imageSource(await loadImage(archive, { choice: { reference, architecture }, spool: this.#spool, signal }));
  }

  async #rootArchive(path: string): Promise<ImageSource> {
    const { fd, region } = await openTar(path, this.#spool);
    this.#closers.push(() => closeSync(fd));
    const tree = new LayeredTree();
    tree.apply(region, { isWhole: false });
    return { ...PLAIN, rootfs: tree.root, warnings: attributeWarnings(tree.withoutAttributes) };
  }
}
