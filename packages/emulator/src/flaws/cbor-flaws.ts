import { concatBytes } from '@nitro-enclaves/core';
import { encodeValue } from '../pki/document.ts';
import { appendEntry, appendUnknownField, bytesOf, replaceBytes } from './edit.ts';
import type { Flaw } from './flaw.ts';
import { flaw } from './flaw.ts';

/** Names of {@link CBOR_FLAWS}. */
export type CborFlawName =
  | 'payload-cut'
  | 'payload-trailing-byte'
  | 'header-trailing-byte'
  | 'reserved-information'
  | 'not-shortest-integer'
  | 'not-shortest-length'
  | 'integer-beyond-2-53'
  | 'chunked-byte-string'
  | 'text-not-utf8'
  | 'field-twice'
  | 'pcr-twice'
  | 'header-parameter-twice'
  | 'key-byte-string'
  | 'tagged-value'
  | 'float'
  | 'timestamp-float'
  | 'unknown-simple-value'
  | 'stray-break'
  | 'nested-too-deep'
  | 'too-many-items';

/** A flaw in the value of a field that is unknown to verifiers. */
function inUnknownField(breaks: string, code: Flaw['code'], value: Uint8Array): Flaw {
  return flaw(breaks, code, { payload: (payload) => appendUnknownField(payload, value) });
}

const DEEP = 32;
const MANY = 2000;

/** What is wrong with the CBOR itself, signed as it is. */
export const CBOR_FLAWS: Readonly<Record<CborFlawName, Flaw>> = {
  'payload-cut': flaw('The payload ends in the middle of its map', 'CBOR_TRUNCATED', {
    payload: (payload) => payload.subarray(0, -2),
  }),
  'payload-trailing-byte': flaw('A byte follows the payload map', 'CBOR_TRAILING_BYTES', {
    payload: (payload) => concatBytes(payload, bytesOf(0)),
  }),
  'header-trailing-byte': flaw('A byte follows the map in the protected header', 'CBOR_TRAILING_BYTES', {
    protectedHeader: (header) => concatBytes(header, bytesOf(0)),
  }),
  'reserved-information': inUnknownField(
    'A head uses a reserved length code',
    'CBOR_RESERVED_INFORMATION',
    bytesOf(0x1c),
  ),
  'not-shortest-integer': inUnknownField(
    'An integer is longer than it needs',
    'CBOR_NOT_SHORTEST',
    bytesOf(0x18, 0x01),
  ),
  'not-shortest-length': inUnknownField(
    'The length of a string is longer than it needs',
    'CBOR_NOT_SHORTEST',
    bytesOf(0x58, 0x01, 0x00),
  ),
  'integer-beyond-2-53': flaw('The timestamp is beyond 2^53 - 1', 'CBOR_INTEGER_RANGE', {
    fields: (fields) => fields.set('timestamp', 2n ** 53n),
  }),
  'chunked-byte-string': inUnknownField(
    'A byte string comes in chunks',
    'CBOR_INDEFINITE_STRING',
    bytesOf(0x5f, 0x41, 0x00, 0xff),
  ),
  'text-not-utf8': inUnknownField('A text is not UTF-8', 'CBOR_UTF8', bytesOf(0x61, 0xff)),
  'field-twice': flaw('The payload names a field twice', 'CBOR_DUPLICATE_KEY', {
    payload: (payload) => appendEntry(payload, encodeValue('module_id'), encodeValue('i-0-enc0')),
  }),
  'pcr-twice': flaw('The payload names a PCR twice', 'CBOR_DUPLICATE_KEY', {
    // The key of the second entry becomes that of the first: 0 and 1 are 18 entries' worth of one byte each.
    payload: (payload) => duplicateFirstPcr(payload),
  }),
  'header-parameter-twice': flaw('The protected header names its algorithm twice', 'CBOR_DUPLICATE_KEY', {
    protectedHeader: () => bytesOf(0xa2, 0x01, 0x38, 0x22, 0x01, 0x38, 0x22),
  }),
  'key-byte-string': flaw('A field name is a byte string', 'CBOR_KEY_TYPE', {
    payload: (payload) => appendEntry(payload, bytesOf(0x41, 0x78), bytesOf(0x00)),
  }),
  'tagged-value': inUnknownField('A value carries a tag', 'CBOR_TAG', bytesOf(0xc1, 0x00)),
  float: inUnknownField('A value is a floating-point number', 'CBOR_FLOAT', bytesOf(0xf9, 0x3c, 0x00)),
  'timestamp-float': flaw('The timestamp is a floating-point number', 'CBOR_FLOAT', {
    fields: (fields) => fields.set('timestamp', Number(fields.get('timestamp')) + 0.5),
  }),
  'unknown-simple-value': inUnknownField('A value is an unassigned simple value', 'CBOR_SIMPLE_VALUE', bytesOf(0xf0)),
  'stray-break': inUnknownField('A break stands where a value should', 'CBOR_UNEXPECTED_BREAK', bytesOf(0x81, 0xff)),
  'nested-too-deep': inUnknownField(
    'Arrays are nested without end',
    'CBOR_TOO_DEEP',
    concatBytes(new Uint8Array(DEEP).fill(0x81), bytesOf(0x00)),
  ),
  'too-many-items': inUnknownField(
    'A value has thousands of items',
    'CBOR_TOO_MANY_ITEMS',
    concatBytes(bytesOf(0x99, MANY >> 8, MANY & 0xff), new Uint8Array(MANY)),
  ),
};

/** Gives the second PCR the index of the first. */
function duplicateFirstPcr(payload: Uint8Array): Uint8Array {
  const pcrOne = bytesOf(0x01, 0x58, 0x30);
  return replaceBytes(payload, { found: pcrOne, replacement: bytesOf(0x00, 0x58, 0x30) });
}
