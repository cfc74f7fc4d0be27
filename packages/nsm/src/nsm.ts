import { open } from 'node:fs/promises';
import type { CborValue } from '@nitro-enclaves/core';
import type { NsmCallOptions } from './deadline.ts';
import { withDeadline } from './deadline.ts';
import type { NsmDevice } from './device.ts';
import { NsmError } from './error.ts';
import type { AttestationFields, NsmRequest } from './request.ts';
import {
  attestationRequest,
  describeNsmRequest,
  describePcrRequest,
  encodeRequest,
  extendPcrRequest,
  getRandomRequest,
  lockPcrRequest,
  lockPcrsRequest,
} from './request.ts';
import type { NsmDescription, PcrDescription } from './response.ts';
import {
  decodeAttestation,
  decodeDescribeNsm,
  decodeDescribePcr,
  decodeExtendPcr,
  decodeGetRandom,
  decodeLock,
  openResponse,
} from './response.ts';

/** Deadline of a call unless another is given, in ms: a little after the driver's own, whose error says more. */
export const NSM_DEFAULT_TIMEOUT = 125_000;

/** Options of {@link Nsm}. */
export interface NsmOptions {
  /** Deadline of every call, in ms; default {@link NSM_DEFAULT_TIMEOUT}. */
  timeout?: number | undefined;
}

/** Options of {@link Nsm.entropySeed}. */
export interface EntropySeedOptions extends NsmCallOptions {
  /** Number of bytes; default 1024. */
  length?: number;
  /** The kernel's pool; default `/dev/random`. */
  pool?: string;
}

/** Room for `length` random bytes. */
function allocate(length: number): Uint8Array<ArrayBuffer> {
  if (!Number.isSafeInteger(length) || length < 0) {
    throw new NsmError('NSM_ARGUMENT', `expected a number of bytes, found ${length}; nothing was sent`);
  }
  try {
    return new Uint8Array(length);
  } catch (cause) {
    const message = `expected a number of bytes that there is memory for, found ${length}; nothing was sent`;
    throw new NsmError('NSM_ARGUMENT', message, { cause });
  }
}

/**
 * The Nitro Secure Module of this enclave, over a {@link NsmDevice}: its seven requests, typed. Arguments are checked
 * before anything is sent; a module's error comes as {@link NsmError}. Each call costs the hypervisor a round trip, and
 * the driver serves one at a time.
 */
export class Nsm implements AsyncDisposable {
  readonly #device: NsmDevice;
  readonly #timeout: number;
  #closed = false;

  constructor(device: NsmDevice, { timeout = NSM_DEFAULT_TIMEOUT }: NsmOptions = {}) {
    this.#device = device;
    this.#timeout = timeout;
  }

  /** What the module says about itself (`DescribeNSM`). */
  async describeNsm(options?: NsmCallOptions): Promise<NsmDescription> {
    return decodeDescribeNsm(await this.#send(describeNsmRequest, options));
  }

  /** Value and lock of PCR `index`, 0 to 31 (`DescribePCR`). */
  async describePcr(index: number, options?: NsmCallOptions): Promise<PcrDescription> {
    return decodeDescribePcr(await this.#send(describePcrRequest(index), options));
  }

  /**
   * Makes PCR `index` SHA-384(its value ‖ `data`) and gives the new value (`ExtendPCR`). PCR0 to PCR15 are the
   * platform's, locked from the start.
   */
  async extendPcr(index: number, data: Uint8Array, options?: NsmCallOptions): Promise<Uint8Array> {
    return decodeExtendPcr(await this.#send(extendPcrRequest(index, data), options));
  }

  /** Makes PCR `index` final: it joins the attestation documents and can be changed no more (`LockPCR`). */
  async lockPcr(index: number, options?: NsmCallOptions): Promise<void> {
    decodeLock('LockPCR', await this.#send(lockPcrRequest(index), options));
  }

  /** Makes PCRs 0 to `range` - 1 final; `range` is at most 32 (`LockPCRs`). */
  async lockPcrs(range: number, options?: NsmCallOptions): Promise<void> {
    decodeLock('LockPCRs', await this.#send(lockPcrsRequest(range), options));
  }

  /** A signed attestation document (COSE_Sign1) with the locked PCRs and what is given here (`Attestation`). */
  async attestation({
    publicKey,
    userData,
    nonce,
    ...options
  }: AttestationFields & NsmCallOptions = {}): Promise<Uint8Array> {
    return decodeAttestation(await this.#send(attestationRequest({ publicKey, userData, nonce }), options));
  }

  /** `length` random bytes, in as many requests as that takes (`GetRandom` gives up to 256 each). */
  async getRandom(length: number, { signal, timeout = this.#timeout }: NsmCallOptions = {}): Promise<Uint8Array> {
    const random = allocate(length);
    try {
      await withDeadline({ signal, timeout }, (ended) => this.#fill(random, { signal: ended, timeout }));
    } catch (error) {
      random.fill(0);
      throw error;
    }
    return random;
  }

  async #fill(random: Uint8Array, options: NsmCallOptions): Promise<void> {
    for (let filled = 0; filled < random.length; ) {
      const chunk = decodeGetRandom(await this.#send(getRandomRequest, options));
      random.set(chunk.subarray(0, random.length - filled), filled);
      filled += chunk.length;
      chunk.fill(0);
    }
  }

  /**
   * Mixes random bytes of the module into the kernel's pool, and keeps none: for an enclave that has just started, whose
   * kernel has seen neither a disk nor a network yet. The kernel counts written bytes as no entropy, but everything that
   * it hands out afterwards depends on them.
   * @returns the number of bytes mixed in.
   */
  async entropySeed({ length = 1024, pool = '/dev/random', ...options }: EntropySeedOptions = {}): Promise<number> {
    const seed = await this.getRandom(length, options);
    try {
      const file = await open(pool, 'w');
      try {
        await file.writeFile(seed);
      } finally {
        await file.close();
      }
    } finally {
      seed.fill(0);
    }
    return length;
  }

  /**
   * Any request, for what AWS adds later: gives what the response holds beside the request's name (`undefined` if
   * nothing). Only the size is checked before it is sent. For bytes of your own use the device.
   */
  async request(request: NsmRequest, options?: NsmCallOptions): Promise<CborValue> {
    return openResponse(request.name, await this.#send(request, options));
  }

  /** Closes the device. Calls made afterwards are rejected with `NSM_CLOSED`. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#device.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #send(request: NsmRequest, { signal, timeout = this.#timeout }: NsmCallOptions = {}): Promise<Uint8Array> {
    if (this.#closed) throw new NsmError('NSM_CLOSED', `${request.name}: this Nsm has been closed`);
    const bytes = encodeRequest(request);
    return withDeadline({ signal, timeout }, async (ended) => this.#device.request(bytes, { signal: ended }));
  }
}
