import { createHash, hkdfSync, randomBytes } from 'node:crypto';

const SEED_BYTES = 48;

/**
 * Where every random value of an emulator comes from: the same seed gives the same keys, serial numbers, random bytes and
 * faults, so that what went wrong once can be made to go wrong again. Derived values are independent of one another.
 */
export class Seed {
  /** The seed itself, 48 bytes. Whoever has it has every key of the emulator. */
  readonly bytes: Uint8Array;
  /** Whether somebody chose it, and so may want everything again as it was. */
  readonly isChosen: boolean;

  private constructor(bytes: Uint8Array, isChosen: boolean) {
    this.bytes = bytes;
    this.isChosen = isChosen;
  }

  /** A seed out of any text or bytes; a random one out of nothing. */
  static from(material: string | Uint8Array | undefined): Seed {
    if (material === undefined) return new Seed(randomBytes(SEED_BYTES), false);
    return new Seed(createHash('sha384').update(material).digest(), true);
  }

  /** `length` bytes (at most 12 240) that belong to `label` (HKDF-SHA-384, RFC 5869). */
  derive(label: string, length: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(hkdfSync('sha384', this.bytes, '', `nitro-enclaves emulator v1 ${label}`, length));
  }

  /** A seed of its own for `label`. */
  child(label: string): Seed {
    return new Seed(this.derive(label, SEED_BYTES), this.isChosen);
  }
}
