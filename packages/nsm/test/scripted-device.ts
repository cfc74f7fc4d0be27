import type { CborInput } from '@nitro-enclaves/core';
import { encodeCbor } from '@nitro-enclaves/core';
import type { NsmDevice, NsmDeviceRequestOptions } from '@nitro-enclaves/nsm';

/** A device that keeps what it was asked and answers as it is told, whatever that is. */
export class ScriptedDevice implements NsmDevice {
  readonly requests: Uint8Array[] = [];
  readonly signals: (AbortSignal | undefined)[] = [];
  closes = 0;
  readonly #answer: (bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>;

  constructor(answer: (bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>) {
    this.#answer = answer;
  }

  async request(bytes: Uint8Array, options?: NsmDeviceRequestOptions): Promise<Uint8Array> {
    this.requests.push(bytes);
    this.signals.push(options?.signal);
    return this.#answer(bytes);
  }

  async close(): Promise<void> {
    this.closes += 1;
  }
}

/** A device whose every answer is `value`. */
export function answering(value: CborInput): ScriptedDevice {
  return new ScriptedDevice(() => encodeCbor(value));
}

/** A map of the entries of `object`, as CBOR has it. */
export function map(object: Readonly<Record<string, CborInput>>): ReadonlyMap<string, CborInput> {
  return new Map(Object.entries(object));
}
