import { concatBytes, encodeHex } from '@nitro-enclaves/core';
import type { EifSectionType } from './format/section.ts';
import type { Sha384 } from './platform.ts';

/** Length of a PCR, in bytes. */
export const PCR_BYTES = 48;

/** The image's PCRs, lower-case hexadecimal, as nitro-cli and KMS policies write them. */
export interface ImagePcrs {
  /** Kernel, cmdline and all ramdisks. */
  readonly PCR0: string;
  /** Kernel, cmdline and the first ramdisk. */
  readonly PCR1: string;
  /** All ramdisks but the first. */
  readonly PCR2: string;
}

/** What a PCR holds after one extension from zero: H(48 zero bytes ‖ `value`). */
export function extendFromZero(createSha384: () => Sha384, value: Uint8Array): Uint8Array {
  const sha384 = createSha384();
  sha384.update(concatBytes(new Uint8Array(PCR_BYTES), value));
  return sha384.digest();
}

/**
 * The digests behind PCR0, PCR1 and PCR2, fed with the sections' data in the file's order. The image's and the boot
 * sections' data begin alike, so that one hash serves both until the second ramdisk.
 */
export class ImageDigests {
  readonly #createSha384: () => Sha384;
  readonly #image: Sha384;
  readonly #app: Sha384;
  #boot: Sha384 | undefined;
  #ramdisks = 0;
  #into: readonly Sha384[] = [];

  constructor(createSha384: () => Sha384) {
    this.#createSha384 = createSha384;
    this.#image = createSha384();
    this.#app = createSha384();
  }

  /**
   * Says what the data that follow belong to. With `appElsewhere` the second and later ramdisks' own digest is calculated
   * elsewhere and given to {@link ImageDigests.pcrs}; that goes for all of them or for none.
   */
  enter(type: EifSectionType, appElsewhere = false): void {
    if (type === 'ramdisk') this.#ramdisks += 1;
    this.#into = this.#targets(type, appElsewhere);
  }

  #targets(type: EifSectionType, appElsewhere: boolean): Sha384[] {
    if (type === 'metadata' || type === 'signature') return [];
    if (type === 'ramdisk' && this.#ramdisks > 1) {
      this.#boot ??= this.#image.copy();
      return appElsewhere ? [this.#image] : [this.#image, this.#app];
    }
    return this.#boot === undefined ? [this.#image] : [this.#image, this.#boot];
  }

  update(data: Uint8Array): void {
    for (const sha384 of this.#into) sha384.update(data);
  }

  /** The PCRs. `appDigest` is the second and later ramdisks' digest when it was calculated elsewhere. */
  pcrs(appDigest?: Uint8Array): ImagePcrs {
    const pcr = (digest: Uint8Array): string => encodeHex(extendFromZero(this.#createSha384, digest));
    const boot = (this.#boot ?? this.#image).copy().digest();
    return {
      PCR0: pcr(this.#image.copy().digest()),
      PCR1: pcr(boot),
      PCR2: pcr(appDigest ?? this.#app.copy().digest()),
    };
  }
}
