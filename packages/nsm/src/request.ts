// Requests as the Rust crate of AWS writes them (serde's externally tagged enums): a request without fields is a bare
// text string, any other a map of one entry, absent fields are null, and fields keep the crate's order.
// Source: aws-nitro-enclaves-nsm-api, src/api/mod.rs.
import { Encoder } from 'cbor-x';
import { NSM_MAX_PCRS, NSM_REQUEST_MAX_SIZE } from './device.ts';
import { NsmError } from './error.ts';

/** A value that a request may hold. Maps keep their order; integers are safe integers. */
export type NsmRequestValue =
  | number
  | string
  | boolean
  | null
  | Uint8Array
  | readonly NsmRequestValue[]
  | ReadonlyMap<string, NsmRequestValue>;

/** A request: its name, and its fields if it has any. */
export interface NsmRequest {
  /** AWS's name of the request, such as `DescribePCR`. */
  name: string;
  fields?: ReadonlyMap<string, NsmRequestValue>;
}

/** What an attestation document is to carry; each at most 1024 bytes, absent and empty being different things. */
export interface AttestationFields {
  /** A public key that the document's reader may encrypt to; KMS wants an RSA key as DER SubjectPublicKeyInfo. */
  publicKey?: Uint8Array | undefined;
  /** Anything that the document is to vouch for. */
  userData?: Uint8Array | undefined;
  /** What the verifier sent to see that the document is fresh. */
  nonce?: Uint8Array | undefined;
}

/**
 * Longest of each field of an attestation request, in bytes. AWS's documentation also states 512 for two of them; its own
 * hardware test (nsm-check) sends 1024 in all three at once and expects a document.
 */
export const NSM_ATTESTATION_FIELD_MAX_SIZE = 1024;

// Plain CBOR: without these, cbor-x tags byte strings (64) and maps (259), which the module does not take.
const ENCODER = new Encoder({ mapsAsObjects: false, useRecords: false, tagUint8Array: false });

function refuse(expected: string, found: unknown): never {
  throw new NsmError('NSM_ARGUMENT', `expected ${expected}, found ${String(found)}; nothing was sent`);
}

function expectInteger(name: string, value: number, most: number): number {
  if (!Number.isInteger(value) || value < 0 || value > most)
    refuse(`${name} to be an integer from 0 to ${most}`, value);
  return value;
}

function expectBytes(name: string, value: Uint8Array, most: number): Uint8Array {
  if (!(value instanceof Uint8Array)) refuse(`${name} to be a Uint8Array`, typeof value);
  if (value.length > most) refuse(`${name} to be of at most ${most} bytes`, `${value.length} bytes`);
  return value;
}

function attestationField(name: string, value: Uint8Array | undefined): Uint8Array | null {
  return value === undefined ? null : expectBytes(name, value, NSM_ATTESTATION_FIELD_MAX_SIZE);
}

function pcrIndex(index: number): number {
  return expectInteger('the index of a PCR', index, NSM_MAX_PCRS - 1);
}

export const describeNsmRequest: NsmRequest = { name: 'DescribeNSM' };
export const getRandomRequest: NsmRequest = { name: 'GetRandom' };

export function describePcrRequest(index: number): NsmRequest {
  return { name: 'DescribePCR', fields: new Map([['index', pcrIndex(index)]]) };
}

export function extendPcrRequest(index: number, data: Uint8Array): NsmRequest {
  const bytes = expectBytes('the data to extend with', data, NSM_REQUEST_MAX_SIZE);
  return {
    name: 'ExtendPCR',
    fields: new Map<string, NsmRequestValue>([
      ['index', pcrIndex(index)],
      ['data', bytes],
    ]),
  };
}

export function lockPcrRequest(index: number): NsmRequest {
  return { name: 'LockPCR', fields: new Map([['index', pcrIndex(index)]]) };
}

export function lockPcrsRequest(range: number): NsmRequest {
  return { name: 'LockPCRs', fields: new Map([['range', expectInteger('the range of PCRs', range, NSM_MAX_PCRS)]]) };
}

export function attestationRequest({ publicKey, userData, nonce }: AttestationFields): NsmRequest {
  return {
    name: 'Attestation',
    fields: new Map([
      ['user_data', attestationField('userData', userData)],
      ['nonce', attestationField('nonce', nonce)],
      ['public_key', attestationField('publicKey', publicKey)],
    ]),
  };
}

/** Bounds of what cbor-x writes as an integer by itself; beyond them a number becomes a float, a BigInt does not. */
const SHORT_INTEGERS = { least: -(2 ** 32), most: 2 ** 32 - 1 } as const;

type Encodable = Exclude<NsmRequestValue, object> | bigint | Uint8Array | readonly Encodable[] | Map<string, Encodable>;

function encodable(value: NsmRequestValue): Encodable {
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) refuse('an integer within ±(2^53 - 1)', value);
    return value < SHORT_INTEGERS.least || value > SHORT_INTEGERS.most ? BigInt(value) : value;
  }
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return value;
  if (isList(value)) return value.map(encodable);
  return encodableMap(value);
}

function isList(
  value: readonly NsmRequestValue[] | ReadonlyMap<string, NsmRequestValue>,
): value is readonly NsmRequestValue[] {
  return Array.isArray(value);
}

function encodableMap(fields: ReadonlyMap<string, NsmRequestValue>): Map<string, Encodable> {
  return new Map(Array.from(fields, ([key, field]) => [key, encodable(field)]));
}

/**
 * Bytes of `request`.
 * @throws {NsmError} `NSM_ARGUMENT` if they are more than the driver takes ({@link NSM_REQUEST_MAX_SIZE}).
 */
export function encodeRequest({ name, fields }: NsmRequest): Uint8Array {
  // A copy: the encoder's answer is a view of memory that it goes on using.
  const bytes = Uint8Array.from(ENCODER.encode(fields === undefined ? name : new Map([[name, encodableMap(fields)]])));
  if (bytes.length > NSM_REQUEST_MAX_SIZE) {
    refuse(`a request of at most ${NSM_REQUEST_MAX_SIZE} bytes`, `${bytes.length} bytes in ${name}`);
  }
  return bytes;
}
