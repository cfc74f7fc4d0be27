import type { Region } from '../tar/region.ts';
import type { Compression } from './compression.ts';

/** A layer, where it lies. */
export interface LayerSource {
  /** For messages. */
  readonly name: string;
  readonly region: Region;
  readonly compression: Compression;
  /** Digest of the layer as it lies there, where the manifest states it. */
  readonly digest: string | undefined;
}

/** One image of a layout or archive. */
export interface LocatedImage {
  /** Digest of the configuration, `sha256:…`. */
  readonly id: string;
  /** Names with tags, such as `app:1.0`. */
  readonly names: readonly string[];
  /** The configuration, as JSON. */
  readonly config: unknown;
  /** From the bottom up. */
  readonly layers: readonly LayerSource[];
}
