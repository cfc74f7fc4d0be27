// Requests and responses as AWS's crate has them (serde's externally tagged enums): a bare text string without fields, else
// a map of one entry. Source: aws-nitro-enclaves-nsm-api, src/api/mod.rs.
import type { CborMap, CborValue } from '@nitro-enclaves/core';
import { CborError, decodeCbor } from '@nitro-enclaves/core';
import { NSM_REQUEST_MAX_SIZE } from '@nitro-enclaves/nsm';
import type { NsmErrorName } from '../faults.ts';
import { encodeValue } from '../pki/document.ts';

/** A request, its fields of the right types; absent byte strings are null. */
export type NsmRequestMessage =
  | { readonly name: 'DescribeNSM' }
  | { readonly name: 'GetRandom' }
  | { readonly name: 'DescribePCR'; readonly index: number }
  | { readonly name: 'LockPCR'; readonly index: number }
  | { readonly name: 'ExtendPCR'; readonly index: number; readonly data: Uint8Array }
  | { readonly name: 'LockPCRs'; readonly range: number }
  | {
      readonly name: 'Attestation';
      readonly userData: Uint8Array | null;
      readonly nonce: Uint8Array | null;
      readonly publicKey: Uint8Array | null;
    };

/** An error of the module: a response like any other. */
export class NsmRefusal extends Error {
  readonly error: NsmErrorName;

  constructor(error: NsmErrorName) {
    super(`the NSM refuses with ${error}`);
    this.error = error;
  }
}

const U16_MAX = 0xffff;

/** What a module says of bytes that are none of its requests, as QEMU's does. */
function refuse(): never {
  throw new NsmRefusal('InvalidOperation');
}

function readU16(fields: CborMap, name: string): number {
  const value = fields.get(name);
  return typeof value === 'number' && value >= 0 && value <= U16_MAX ? value : refuse();
}

function readBytes(fields: CborMap, name: string): Uint8Array {
  const value = fields.get(name);
  return value instanceof Uint8Array ? value : refuse();
}

function readOptionalBytes(fields: CborMap, name: string): Uint8Array | null {
  const value = fields.get(name);
  return value === undefined || value === null ? null : readBytes(fields, name);
}

type ReadFields = (fields: CborMap) => NsmRequestMessage;

const WITH_FIELDS: ReadonlyMap<CborValue, ReadFields> = new Map<CborValue, ReadFields>([
  ['DescribePCR', (fields) => ({ name: 'DescribePCR', index: readU16(fields, 'index') })],
  ['LockPCR', (fields) => ({ name: 'LockPCR', index: readU16(fields, 'index') })],
  ['ExtendPCR', (fields) => ({ name: 'ExtendPCR', index: readU16(fields, 'index'), data: readBytes(fields, 'data') })],
  ['LockPCRs', (fields) => ({ name: 'LockPCRs', range: readU16(fields, 'range') })],
  [
    'Attestation',
    (fields) => ({
      name: 'Attestation',
      userData: readOptionalBytes(fields, 'user_data'),
      nonce: readOptionalBytes(fields, 'nonce'),
      publicKey: readOptionalBytes(fields, 'public_key'),
    }),
  ],
]);

function decodeValue(bytes: Uint8Array): CborValue {
  try {
    return decodeCbor(bytes, { maxBytes: NSM_REQUEST_MAX_SIZE });
  } catch (error) {
    if (error instanceof CborError) return refuse();
    throw error;
  }
}

/** @throws {NsmRefusal} `InvalidOperation` for bytes that are none of the seven requests. */
export function decodeRequest(bytes: Uint8Array): NsmRequestMessage {
  const request = decodeValue(bytes);
  if (request === 'DescribeNSM' || request === 'GetRandom') return { name: request };
  if (!(request instanceof Map) || request.size !== 1) return refuse();
  const [[name, fields]] = [...request] as [[CborValue, CborValue]];
  const read = WITH_FIELDS.get(name);
  if (read === undefined || !(fields instanceof Map)) return refuse();
  return read(fields);
}

/** A response with fields, which keep the crate's order. */
export function encodeResponse(name: string, fields: readonly (readonly [string, unknown])[]): Uint8Array {
  return encodeValue(new Map([[name, new Map(fields)]]));
}

/** A response that has nothing to say but its name. */
export function encodeBareResponse(name: 'LockPCR' | 'LockPCRs'): Uint8Array {
  return encodeValue(name);
}

/** The response of a refusal. */
export function encodeRefusal({ error }: NsmRefusal): Uint8Array {
  return encodeValue(new Map([['Error', error]]));
}
