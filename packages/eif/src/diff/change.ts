import type { EifEntry } from '../read/entries.ts';

/** A PCR that an image determines. */
export type ImagePcrName = 'PCR0' | 'PCR1' | 'PCR2' | 'PCR8';

/** What can differ about a file that both images have. */
export type FileAspect = 'type' | 'content' | 'target' | 'device' | 'mode' | 'owner' | 'time';

/** Length and digest of data that differ. */
export interface DataSummary {
  /** In bytes. */
  readonly size: number;
  readonly sha384: string;
}

interface Moves {
  /** The PCRs that differ between the images and that this change is part of; none where nothing covers it. */
  readonly pcrs: readonly ImagePcrName[];
}

/** One difference between two images. */
export type EifChange =
  | (Moves & { readonly kind: 'kernel'; readonly left: DataSummary; readonly right: DataSummary })
  | (Moves & { readonly kind: 'cmdline'; readonly left: string; readonly right: string })
  | (Moves & { readonly kind: 'file-added' | 'file-removed'; readonly path: string; readonly entry: EifEntry })
  | (Moves & {
      readonly kind: 'file-changed';
      readonly path: string;
      readonly aspects: readonly FileAspect[];
      readonly left: EifEntry;
      readonly right: EifEntry;
    })
  | (Moves & { readonly kind: 'ramdisk-added' | 'ramdisk-removed'; readonly ramdisk: number } & DataSummary)
  /** The files are the same, and their order, inode numbers, padding or compression is not; or they cannot be read. */
  | (Moves & {
      readonly kind: 'ramdisk-encoding';
      readonly ramdisk: number;
      readonly left: DataSummary;
      readonly right: DataSummary;
    })
  | (Moves & { readonly kind: 'section-order'; readonly left: readonly string[]; readonly right: readonly string[] })
  | (Moves & { readonly kind: 'header'; readonly field: string; readonly left: unknown; readonly right: unknown })
  /** `path` as in `$.BuildMetadata.BuildTime`. */
  | (Moves & { readonly kind: 'metadata'; readonly path: string; readonly left: unknown; readonly right: unknown })
  | (Moves & { readonly kind: 'signature'; readonly left: SignatureState; readonly right: SignatureState });

/** Whether an image is signed, and with which certificate. */
export type SignatureState = { readonly signed: false } | { readonly signed: true; readonly PCR8: string };

/** How two images differ. */
export interface EifDiff {
  /** PCRs of both. */
  readonly left: Readonly<Partial<Record<ImagePcrName, string>>>;
  readonly right: Readonly<Partial<Record<ImagePcrName, string>>>;
  /** The PCRs that differ. */
  readonly moved: readonly ImagePcrName[];
  readonly changes: readonly EifChange[];
}
