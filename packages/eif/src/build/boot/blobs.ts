import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { EifArchitecture } from '../../format/header.ts';
import { failBuild } from '../error.ts';

/** Kernel, command line and modules: a folder laid out as nitro-cli's blobs, or single files, which come first. */
export interface BootOptions {
  /** Folder with `bzImage` or `Image`, `cmdline`, and optionally `<kernel>.config`, `nsm.ko` and `init`. */
  readonly blobs?: string;
  /** Path of the kernel: bzImage for x86_64, uncompressed Image for aarch64. */
  readonly kernel?: string;
  /** Path of the kernel's .config, whose third line names the kernel in the metadata. */
  readonly kernelConfig?: string;
  /** The kernel's command line itself. */
  readonly cmdline?: string;
  /** Paths of kernel modules (uncompressed .ko), in the order in which they are loaded. */
  readonly modules?: readonly string[];
  /**
   * What runs as process 1: `own` (the default), the blobs folder's `init`, or a program at a path; the last two get
   * nitro-cli's ramdisk layout.
   */
  readonly init?: 'own' | 'blobs' | { readonly path: string };
}

/** A module, read. */
export interface KernelModule {
  readonly name: string;
  readonly bytes: Buffer;
}

/** {@link BootOptions}, read. */
export interface BootFiles {
  readonly kernel: Buffer;
  readonly kernelConfig: string | undefined;
  readonly cmdline: string;
  readonly modules: readonly KernelModule[];
  /** A given init; `undefined` for our own. */
  readonly init: Buffer | undefined;
}

const KERNEL_NAMES: Readonly<Record<EifArchitecture, string>> = { x86_64: 'bzImage', aarch64: 'Image' };
/** COMMAND_LINE_SIZE of both CPUs' kernels, with the NUL that they put after it. */
const MAX_CMDLINE_BYTES = 2048;

class Blobs {
  readonly #folder: string | undefined;
  readonly #names: readonly string[];

  constructor(folder: string | undefined) {
    this.#folder = folder;
    this.#names = folder === undefined ? [] : readdirSync(folder).sort();
  }

  /** Path of the file with one of these names, if there is one. */
  find(...names: readonly string[]): string | undefined {
    const name = names.find((one) => this.#names.includes(one));
    return this.#folder === undefined || name === undefined ? undefined : join(this.#folder, name);
  }

  config(kernelName: string): string | undefined {
    const configs = this.#names.filter((name) => name.endsWith('.config'));
    const name =
      configs.find((one) => one === `${kernelName}.config`) ?? (configs.length === 1 ? configs[0] : undefined);
    return name === undefined ? undefined : this.find(name);
  }
}

function readKernel(options: BootOptions, blobs: Blobs, architecture: EifArchitecture | undefined): string {
  const names = architecture === undefined ? Object.values(KERNEL_NAMES) : [KERNEL_NAMES[architecture]];
  const path = options.kernel ?? blobs.find(...names);
  return (
    path ?? failBuild('BUILD_KERNEL', `expected a kernel: ${names.join(' or ')} in the blobs folder, or one given`)
  );
}

function readCmdline(options: BootOptions, blobs: Blobs): string {
  const path = blobs.find('cmdline');
  const given = options.cmdline ?? (path === undefined ? undefined : readFileSync(path, 'utf8'));
  if (given === undefined) {
    return failBuild('BUILD_CMDLINE', 'expected a kernel command line: "cmdline" in the blobs folder, or one given');
  }
  const cmdline = given.trim();
  const bytes = Buffer.byteLength(cmdline);
  if (bytes >= MAX_CMDLINE_BYTES) {
    failBuild('BUILD_CMDLINE', `expected a command line shorter than ${MAX_CMDLINE_BYTES} bytes, found ${bytes}`);
  }
  if ([...cmdline].some((character) => character < ' '))
    failBuild('BUILD_CMDLINE', 'expected a command line of one line, without control bytes');
  return cmdline;
}

/** Magic numbers of what our init cannot load: it hands modules to the kernel as they are. */
const ELF_MAGIC = '7f454c46';

function readModules(options: BootOptions, blobs: Blobs): KernelModule[] {
  const nsm = blobs.find('nsm.ko');
  const paths = options.modules ?? (nsm === undefined ? [] : [nsm]);
  const modules = paths.map((path) => ({ name: basename(path), bytes: readFileSync(path) }));
  for (const { name, bytes } of modules) {
    if (bytes.toString('hex', 0, 4) !== ELF_MAGIC) {
      failBuild('BUILD_MODULE', 'expected an uncompressed kernel module (ELF)', { path: name });
    }
    if (modules.filter((one) => one.name === name).length > 1) {
      failBuild('BUILD_MODULE', 'expected each module once', { path: name });
    }
  }
  return modules;
}

function readInit({ init = 'own' }: BootOptions, blobs: Blobs): Buffer | undefined {
  if (init === 'own') return undefined;
  const path = init === 'blobs' ? blobs.find('init') : init.path;
  if (path === undefined) failBuild('BUILD_INIT', 'expected "init" in the blobs folder');
  return readFileSync(path);
}

/**
 * Reads what boots.
 * @throws {EifBuildError} `BUILD_KERNEL`, `BUILD_CMDLINE`, `BUILD_MODULE` or `BUILD_INIT`; the system's own errors for
 * files that cannot be read.
 */
export function readBootFiles(options: BootOptions, architecture: EifArchitecture | undefined): BootFiles {
  const blobs = new Blobs(options.blobs);
  const kernelPath = readKernel(options, blobs, architecture);
  const kernel = readFileSync(kernelPath);
  if (kernel.length === 0) failBuild('BUILD_KERNEL', 'expected a kernel, found an empty file');
  // A .config lies beside its kernel: it says nothing about one that comes from elsewhere.
  const configPath =
    options.kernelConfig ?? (options.kernel === undefined ? blobs.config(basename(kernelPath)) : undefined);
  return {
    kernel,
    kernelConfig: configPath === undefined ? undefined : readFileSync(configPath, 'utf8'),
    cmdline: readCmdline(options, blobs),
    modules: readModules(options, blobs),
    init: readInit(options, blobs),
  };
}
