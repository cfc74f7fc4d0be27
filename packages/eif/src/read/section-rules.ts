import { fail } from '../error.ts';
import type { EifSectionHeader, EifSectionType } from '../format/section.ts';

/** Longest data of the sections that are kept in memory, in bytes. A declared size is refused before anything is allocated. */
export const MAX_SECTION_BYTES: Readonly<Partial<Record<EifSectionType, number>>> = {
  /** Kernels take 2048; a longer line is shortened by them, not by us. */
  cmdline: 65_536,
  /** nitro-cli puts the whole `docker inspect` in. */
  metadata: 4 * 1024 * 1024,
  /** The format's own limit. */
  signature: 32_768,
};

/** Which sections an image has, and in which order: refuses what would let two readers see two images. */
export class SectionRules {
  readonly #seen = new Set<EifSectionType>();

  /** Checks a section's header before its data are touched. */
  admit({ type, size }: EifSectionHeader, offset: number): void {
    if (type === 'ramdisk' && !this.#seen.has('kernel')) {
      fail('EIF_RAMDISK_BEFORE_KERNEL', 'expected every ramdisk after the kernel, found one before it', { offset });
    }
    if (type !== 'ramdisk' && this.#seen.has(type)) {
      fail(DUPLICATE[type], `expected one ${type} section, found a second`, { offset });
    }
    const limit = MAX_SECTION_BYTES[type];
    if (limit !== undefined && size > limit) {
      fail(TOO_LARGE[type] ?? 'EIF_METADATA_TOO_LARGE', `expected a ${type} of at most ${limit} bytes, found ${size}`, {
        offset,
      });
    }
    this.#seen.add(type);
  }

  /** Checks, behind the last section, that nothing is missing in an image of `version`. */
  finish(version: number): void {
    if (!this.#seen.has('kernel')) fail('EIF_KERNEL_MISSING', 'expected a kernel section, found none');
    if (!this.#seen.has('cmdline')) fail('EIF_CMDLINE_MISSING', 'expected a cmdline section, found none');
    if (!this.#seen.has('ramdisk')) fail('EIF_RAMDISK_MISSING', 'expected at least one ramdisk section, found none');
    if (version >= 4 && !this.#seen.has('metadata')) {
      fail('EIF_METADATA_MISSING', `expected a metadata section in version ${version}, found none`);
    }
  }
}

const DUPLICATE = {
  kernel: 'EIF_KERNEL_DUPLICATE',
  cmdline: 'EIF_CMDLINE_DUPLICATE',
  metadata: 'EIF_METADATA_DUPLICATE',
  signature: 'EIF_SIGNATURE_DUPLICATE',
} as const;

const TOO_LARGE: Readonly<
  Partial<Record<EifSectionType, 'EIF_CMDLINE_TOO_LARGE' | 'EIF_METADATA_TOO_LARGE' | 'EIF_SIGNATURE_TOO_LARGE'>>
> = {
  cmdline: 'EIF_CMDLINE_TOO_LARGE',
  metadata: 'EIF_METADATA_TOO_LARGE',
  signature: 'EIF_SIGNATURE_TOO_LARGE',
};
