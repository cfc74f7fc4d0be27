// Responses of the module. They come in two forms: a bare text string when there is nothing to say but the name
// ("LockPCR"), else a map of one entry. The order of fields differs from module to module, so fields are found by name;
// fields that AWS may add are passed over.
import type { CborMap, CborValue } from '@nitro-enclaves/core';
import { decodeCbor } from '@nitro-enclaves/core';
import { NSM_RESPONSE_MAX_SIZE } from './device.ts';
import { moduleError, NsmError } from './error.ts';

/** Digest algorithm of a module's PCRs. */
export type NsmDigest = 'SHA256' | 'SHA384' | 'SHA512';

/** What a module says about itself. */
export interface NsmDescription {
  version: { major: number; minor: number; patch: number };
  /** Identity of the enclave, such as `i-1234567890abcdef0-enc1234567890abcde`. */
  moduleId: string;
  /** Number of PCRs. */
  maxPcrs: number;
  /** Indices of locked PCRs, ascending. */
  lockedPcrs: number[];
  digest: NsmDigest;
}

/** One PCR. */
export interface PcrDescription {
  /** Whether it can change no more before the enclave ends. Only locked PCRs are part of attestation documents. */
  locked: boolean;
  /** Its value: 48 bytes with SHA-384. */
  value: Uint8Array;
}

const DIGESTS: ReadonlySet<CborValue> = new Set(['SHA256', 'SHA384', 'SHA512']);
const U16_MAX = 0xffff;

function isDigest(value: CborValue): value is NsmDigest {
  return DIGESTS.has(value);
}

function isU16(value: CborValue): value is number {
  return typeof value === 'number' && value >= 0 && value <= U16_MAX;
}

function malformed(request: string, expected: string, path?: string): NsmError {
  const where = path === undefined ? '' : ` in ${path}`;
  const details = path === undefined ? {} : { path };
  return new NsmError('NSM_MALFORMED_RESPONSE', `response to ${request}: expected ${expected}${where}`, details);
}

/** Fields of one response; each read says what it expects. */
class Fields {
  readonly #request: string;
  readonly #map: CborMap;

  constructor(request: string, map: CborMap) {
    this.#request = request;
    this.#map = map;
  }

  #read<T extends CborValue>(name: string, expected: string, accepts: (value: CborValue) => value is T): T {
    const value = this.#map.get(name);
    if (!accepts(value)) throw malformed(this.#request, expected, `$.${this.#request}.${name}`);
    return value;
  }

  u16(name: string): number {
    return this.#read(name, 'an integer from 0 to 65535', isU16);
  }

  bytes(name: string): Uint8Array {
    return this.#read(name, 'a byte string', (value): value is Uint8Array => value instanceof Uint8Array);
  }

  text(name: string): string {
    return this.#read(name, 'a text string', (value): value is string => typeof value === 'string');
  }

  boolean(name: string): boolean {
    return this.#read(name, 'a boolean', (value): value is boolean => typeof value === 'boolean');
  }

  digest(name: string): NsmDigest {
    return this.#read(name, 'SHA256, SHA384 or SHA512', isDigest);
  }

  indices(name: string): number[] {
    const expected = 'an array of integers from 0 to 65535';
    const isIndices = (value: CborValue): value is number[] => Array.isArray(value) && value.every(isU16);
    return [...this.#read(name, expected, isIndices)].sort((left, right) => left - right);
  }
}

/**
 * What the response to any `request` holds beside its name: usually a map of fields, `undefined` if nothing.
 * @throws {NsmError} what the module answered with instead, or `NSM_MALFORMED_RESPONSE`.
 */
export function openResponse(request: string, bytes: Uint8Array): CborValue {
  const response = decodeResponse(request, bytes);
  if (response === request) return undefined;
  if (!(response instanceof Map) || response.size !== 1)
    throw malformed(request, 'a text string or a map of one entry');
  const error = response.get('Error');
  if (typeof error === 'string') throw moduleError(request, error);
  if (!response.has(request)) throw malformed(request, `an entry named ${request} or Error`);
  return response.get(request);
}

function decodeResponse(request: string, bytes: Uint8Array): CborValue {
  try {
    return decodeCbor(bytes, { maxBytes: NSM_RESPONSE_MAX_SIZE });
  } catch (cause) {
    const message = `response to ${request}: expected CBOR, found ${bytes.length} bytes that are not`;
    throw new NsmError('NSM_MALFORMED_RESPONSE', message, { cause });
  }
}

function openFields(request: string, bytes: Uint8Array): Fields {
  const body = openResponse(request, bytes);
  if (!(body instanceof Map)) throw malformed(request, 'a map of fields', `$.${request}`);
  return new Fields(request, body);
}

export function decodeDescribeNsm(bytes: Uint8Array): NsmDescription {
  const fields = openFields('DescribeNSM', bytes);
  return {
    version: {
      major: fields.u16('version_major'),
      minor: fields.u16('version_minor'),
      patch: fields.u16('version_patch'),
    },
    moduleId: fields.text('module_id'),
    maxPcrs: fields.u16('max_pcrs'),
    lockedPcrs: fields.indices('locked_pcrs'),
    digest: fields.digest('digest'),
  };
}

export function decodeDescribePcr(bytes: Uint8Array): PcrDescription {
  const fields = openFields('DescribePCR', bytes);
  return { locked: fields.boolean('lock'), value: fields.bytes('data') };
}

/** The PCR's new value. */
export function decodeExtendPcr(bytes: Uint8Array): Uint8Array {
  return openFields('ExtendPCR', bytes).bytes('data');
}

/** Checks the response to a request that only succeeds or fails. */
export function decodeLock(request: 'LockPCR' | 'LockPCRs', bytes: Uint8Array): void {
  if (openResponse(request, bytes) !== undefined) throw malformed(request, `nothing beside the name ${request}`);
}

/** The attestation document. */
export function decodeAttestation(bytes: Uint8Array): Uint8Array {
  return openFields('Attestation', bytes).bytes('document');
}

export function decodeGetRandom(bytes: Uint8Array): Uint8Array {
  const random = openFields('GetRandom', bytes).bytes('random');
  // Without this a broken module would keep a caller of getRandom asking for ever.
  if (random.length === 0) throw malformed('GetRandom', 'at least one byte', '$.GetRandom.random');
  return random;
}
