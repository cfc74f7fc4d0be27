import type { EifArchitecture } from '../../format/header.ts';
import { failBuild } from '../error.ts';

/** What the metadata say of the kernel. */
export interface KernelIdentity {
  readonly operatingSystem: string;
  readonly kernelVersion: string;
}

const BZIMAGE_MAGIC = { offset: 0x202, text: 'HdrS' };
const ARM64_MAGIC = { offset: 0x38, text: 'ARM\x64' };
/** Offset of the version text, counted from 0x200, in the x86 boot protocol's header. */
const BZIMAGE_VERSION_POINTER = 0x20e;
const BZIMAGE_VERSION_BASE = 0x200;
const MAX_VERSION_BYTES = 256;
const BANNER = 'Linux version ';

function startsAt(kernel: Buffer, { offset, text }: { offset: number; text: string }): boolean {
  return kernel.toString('latin1', offset, offset + text.length) === text;
}

/** The CPU that a kernel is for: bzImage is x86_64's, Image aarch64's. `undefined` for what is neither. */
export function kernelArchitecture(kernel: Buffer): EifArchitecture | undefined {
  if (startsAt(kernel, BZIMAGE_MAGIC)) return 'x86_64';
  return startsAt(kernel, ARM64_MAGIC) ? 'aarch64' : undefined;
}

function firstWord(kernel: Buffer, at: number): string {
  const text = kernel.toString('latin1', at, at + MAX_VERSION_BYTES);
  return /^[\x21-\x7e]+/.exec(text)?.[0] ?? 'unknown';
}

function versionInKernel(kernel: Buffer): string {
  if (startsAt(kernel, BZIMAGE_MAGIC)) {
    return firstWord(kernel, BZIMAGE_VERSION_BASE + kernel.readUInt16LE(BZIMAGE_VERSION_POINTER));
  }
  const banner = kernel.indexOf(BANNER, 0, 'latin1');
  return banner === -1 ? 'unknown' : firstWord(kernel, banner + BANNER.length);
}

/**
 * Reads the third line of a kernel's .config, as nitro-cli does:
 * `# Linux/x86_64 4.14.256-209.484.amzn2.x86_64 Kernel Configuration`.
 */
function identityInConfig(config: string): KernelIdentity {
  const words = (config.split('\n')[2] ?? '').split(/[ /-]/);
  const [, operatingSystem, , kernelVersion] = words;
  if (!operatingSystem || !kernelVersion) {
    failBuild(
      'BUILD_KERNEL',
      'expected "# Linux/<CPU> <version> Kernel Configuration" in line 3 of the kernel\'s .config',
    );
  }
  return { operatingSystem, kernelVersion };
}

/** Who the kernel is: from its .config when there is one, else from itself. */
export function kernelIdentity(kernel: Buffer, config: string | undefined): KernelIdentity {
  if (config !== undefined) return identityInConfig(config);
  return { operatingSystem: 'Linux', kernelVersion: versionInKernel(kernel) };
}

/**
 * The image's CPU: the one asked for, which the kernel must not contradict, or the kernel's.
 * @throws {EifBuildError} `BUILD_KERNEL`.
 */
export function agreeOnArchitecture(kernel: Buffer, wanted: EifArchitecture | undefined): EifArchitecture {
  const found = kernelArchitecture(kernel);
  if (wanted !== undefined && found !== undefined && wanted !== found) {
    failBuild('BUILD_KERNEL', `expected a kernel for ${wanted}, found one for ${found}`);
  }
  return (
    wanted ??
    found ??
    failBuild('BUILD_KERNEL', 'expected a bzImage (x86_64) or an Image (aarch64), or an architecture given')
  );
}
