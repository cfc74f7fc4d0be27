import { setTimeout as delay } from 'node:timers/promises';
import { encodeHex } from '@nitro-enclaves/core';
import type { NsmDevice, NsmDeviceRequestOptions } from '@nitro-enclaves/nsm';
import { NSM_ATTESTATION_FIELD_MAX_SIZE, NSM_REQUEST_MAX_SIZE, NsmError } from '@nitro-enclaves/nsm';
import type { FaultSchedule, NsmFault } from '../faults.ts';
import type { AttestationDocumentRequest, PayloadEncoding } from '../pki/document.ts';
import { issueAttestationDocument } from '../pki/document.ts';
import type { NitroPki } from '../pki/nitro-pki.ts';
import { Seed } from '../seed.ts';
import type { EnclaveIdentity } from './enclave-identity.ts';
import { measureIdentity } from './enclave-identity.ts';
import { issueFaultyDocument } from './faulty-document.ts';
import { PCR_COUNT, PcrBank } from './pcr-bank.ts';
import type { NsmRequestMessage } from './wire.ts';
import { decodeRequest, encodeBareResponse, encodeRefusal, encodeResponse, NsmRefusal } from './wire.ts';

/** Options of {@link EmulatedNsm}. */
export interface EmulatedNsmOptions {
  /** Signs the documents, and has the clock. */
  readonly pki: NitroPki;
  readonly identity: EnclaveIdentity;
  /** Encoding of the payload's map. Default `indefinite`, as AWS does it today. */
  readonly encoding?: PayloadEncoding | undefined;
  /** Determines the random bytes. Default: random. */
  readonly seed?: Seed | undefined;
  /** What goes wrong, and when. */
  readonly faults?: FaultSchedule<NsmFault> | undefined;
}

const RANDOM_BYTES = 256;

type Message<Name> = Extract<NsmRequestMessage, { readonly name: Name }>;

function abortError(signal: AbortSignal): Error {
  const error = new Error('The operation was aborted', { cause: signal.reason });
  error.name = 'AbortError';
  return Object.assign(error, { code: 'ABORT_ERR' });
}

/** Rejects when the signal fires; what was begun goes on, as it does in the hypervisor. */
function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const abort = () => reject(abortError(signal));
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

function expectIndex(index: number): number {
  if (index < PCR_COUNT) return index;
  throw new NsmRefusal('InvalidIndex');
}

function expectFieldLength(field: Uint8Array | null): Uint8Array | null {
  if (field === null || field.length <= NSM_ATTESTATION_FIELD_MAX_SIZE) return field;
  throw new NsmRefusal('InputTooLarge');
}

/**
 * The Nitro Secure Module of one emulated enclave: seven requests with the real wire form, limits, lock rules and errors,
 * and documents that a verifier accepts once it is given the emulator's root by name. Requests are served one at a time.
 */
export class EmulatedNsm implements NsmDevice {
  readonly moduleId: string;
  readonly #options: EmulatedNsmOptions;
  readonly #pcrs: PcrBank;
  readonly #seed: Seed;
  #randomCalls = 0;
  #closed = false;
  #last: Promise<unknown> = Promise.resolve();

  /** @throws {EmulatorError} `EMULATOR_MEASUREMENT` */
  constructor(options: EmulatedNsmOptions) {
    this.moduleId = options.identity.moduleId;
    this.#options = options;
    this.#pcrs = new PcrBank(measureIdentity(options.identity));
    this.#seed = options.seed ?? Seed.from(undefined);
  }

  /**
   * Answers one request. Errors of the module are answers; see {@link NsmDevice}.
   * @throws {NsmError} `NSM_CLOSED`; `NSM_DEVICE_FAILED` for a request that the driver would not pass on.
   */
  async request(bytes: Uint8Array, { signal }: NsmDeviceRequestOptions = {}): Promise<Uint8Array> {
    if (this.#closed) throw new NsmError('NSM_CLOSED', 'the NSM device has been closed');
    if (signal?.aborted) throw abortError(signal);
    if (bytes.length > NSM_REQUEST_MAX_SIZE) {
      throw new NsmError(
        'NSM_DEVICE_FAILED',
        `expected a request of at most ${NSM_REQUEST_MAX_SIZE} bytes, found ${bytes.length} (EMSGSIZE)`,
      );
    }
    const request = bytes.slice();
    const answer = this.#last.then(() => this.#serve(request));
    this.#last = answer.catch(() => undefined);
    return untilAborted(answer, signal);
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  /** The value of every PCR in hexadecimal, locked or not. */
  pcrs(): Record<number, string> {
    return Object.fromEntries(
      Array.from({ length: PCR_COUNT }, (_, index) => [index, encodeHex(this.#pcrs.get(index).value)]),
    );
  }

  async #serve(bytes: Uint8Array): Promise<Uint8Array> {
    const faults = this.#options.faults?.due().map(({ fault }) => fault) ?? [];
    for (const fault of faults) if (fault.kind === 'slow') await delay(fault.ms);
    try {
      for (const fault of faults) if (fault.kind === 'error') throw new NsmRefusal(fault.error);
      return await this.#answer(decodeRequest(bytes), faults);
    } catch (error) {
      if (error instanceof NsmRefusal) return encodeRefusal(error);
      throw error;
    }
  }

  #answer(request: NsmRequestMessage, faults: readonly NsmFault[]): Promise<Uint8Array> | Uint8Array {
    switch (request.name) {
      case 'DescribeNSM':
        return this.#describe();
      case 'DescribePCR':
        return this.#describePcr(request);
      case 'ExtendPCR':
        return this.#extendPcr(request);
      case 'LockPCR':
        return this.#lockPcr(request);
      case 'LockPCRs':
        return this.#lockPcrs(request);
      case 'Attestation':
        return this.#attest(request, faults);
      case 'GetRandom':
        return this.#random();
    }
  }

  #describe(): Uint8Array {
    return encodeResponse('DescribeNSM', [
      ['version_major', 1],
      ['version_minor', 0],
      ['version_patch', 0],
      ['module_id', this.moduleId],
      ['max_pcrs', PCR_COUNT],
      ['locked_pcrs', [...this.#pcrs.locked().keys()]],
      ['digest', 'SHA384'],
    ]);
  }

  #describePcr({ index }: Message<'DescribePCR'>): Uint8Array {
    const { locked, value } = this.#pcrs.get(expectIndex(index));
    return encodeResponse('DescribePCR', [
      ['lock', locked],
      ['data', value],
    ]);
  }

  #expectUnlocked(index: number): number {
    if (!this.#pcrs.get(expectIndex(index)).locked) return index;
    throw new NsmRefusal('ReadOnlyIndex');
  }

  #extendPcr({ index, data }: Message<'ExtendPCR'>): Uint8Array {
    return encodeResponse('ExtendPCR', [['data', this.#pcrs.extend(this.#expectUnlocked(index), data)]]);
  }

  #lockPcr({ index }: Message<'LockPCR'>): Uint8Array {
    this.#pcrs.lock(this.#expectUnlocked(index));
    return encodeBareResponse('LockPCR');
  }

  /** Unlike `LockPCR`, no error for registers that are locked already: AWS's own test locks all 32 twice. */
  #lockPcrs({ range }: Message<'LockPCRs'>): Uint8Array {
    if (range > PCR_COUNT) throw new NsmRefusal('InvalidIndex');
    for (let index = 0; index < range; index += 1) this.#pcrs.lock(index);
    return encodeBareResponse('LockPCRs');
  }

  async #attest(request: Message<'Attestation'>, faults: readonly NsmFault[]): Promise<Uint8Array> {
    const { pki, encoding } = this.#options;
    const document: AttestationDocumentRequest = {
      moduleId: this.moduleId,
      pcrs: Object.fromEntries(this.#pcrs.locked()),
      publicKey: expectFieldLength(request.publicKey),
      userData: expectFieldLength(request.userData),
      nonce: expectFieldLength(request.nonce),
      timestamp: pki.clock(),
      encoding,
    };
    const fault = faults.find(({ kind }) => kind !== 'slow' && kind !== 'error');
    const issued = await (fault === undefined
      ? issueAttestationDocument(pki, document)
      : issueFaultyDocument(pki, document, fault));
    return encodeResponse('Attestation', [['document', issued]]);
  }

  #random(): Uint8Array {
    this.#randomCalls += 1;
    return encodeResponse('GetRandom', [['random', this.#seed.derive(`random ${this.#randomCalls}`, RANDOM_BYTES)]]);
  }
}
