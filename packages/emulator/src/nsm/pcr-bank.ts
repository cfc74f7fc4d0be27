import { createHash } from 'node:crypto';

/** Registers of a module. */
export const PCR_COUNT = 32;
/** PCR0 to PCR15 are the platform's, locked before the enclave starts. */
const PLATFORM_PCRS = 16;
const PCR_BYTES = 48;

/** A register's value, and whether it can change no more. */
export interface Pcr {
  readonly value: Uint8Array;
  readonly locked: boolean;
}

/** The measurement of a text that nothing was hashed of before, as PCR3 (role ARN) and PCR4 (instance id) hold it. */
export function measureText(text: string): Uint8Array {
  return extend(new Uint8Array(PCR_BYTES), new TextEncoder().encode(text));
}

/** The measurement of bytes that were hashed already, as PCR0, PCR1, PCR2 and PCR8 hold it. */
export function measureDigest(digest: Uint8Array): Uint8Array {
  return extend(new Uint8Array(PCR_BYTES), digest);
}

function extend(value: Uint8Array, measured: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha384').update(value).update(measured).digest());
}

/** The 32 SHA-384 registers of one module. Callers give indexes from 0 to 31. */
export class PcrBank {
  readonly #pcrs: Pcr[];

  /** Registers that are not given start as zeros. */
  constructor(values: ReadonlyMap<number, Uint8Array>) {
    this.#pcrs = Array.from({ length: PCR_COUNT }, (_, index) => ({
      value: values.get(index)?.slice() ?? new Uint8Array(PCR_BYTES),
      locked: index < PLATFORM_PCRS,
    }));
  }

  get(index: number): Pcr {
    const pcr = this.#pcrs[index];
    if (pcr === undefined) throw new RangeError(`expected the index of a PCR, found ${index}`);
    return pcr;
  }

  /** Measures `measured` into a register and gives its new value. Whether it is locked is the caller's to check. */
  extend(index: number, measured: Uint8Array): Uint8Array {
    const value = extend(this.get(index).value, measured);
    this.#pcrs[index] = { value, locked: false };
    return value;
  }

  lock(index: number): void {
    this.#pcrs[index] = { value: this.get(index).value, locked: true };
  }

  /** The locked registers, ascending: those that a document lists. */
  locked(): Map<number, Uint8Array> {
    const locked = new Map<number, Uint8Array>();
    for (const [index, pcr] of this.#pcrs.entries()) if (pcr.locked) locked.set(index, pcr.value);
    return locked;
  }
}
