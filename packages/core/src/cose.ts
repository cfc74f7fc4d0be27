import { concatBytes } from './bytes.ts';
import { encodeCbor, encodeHead } from './cbor.ts';
import type { CborLimits } from './cbor-reader.ts';
import { CborReader } from './cbor-reader.ts';
import type { CborMap } from './cbor-value.ts';
import type { Refuse } from './error.ts';
import { NitroEnclavesError, refuseWith } from './error.ts';

/** A COSE_Sign1 as received (RFC 9052 §4.2). The byte fields are the very bytes of the message, never re-encoded. */
export interface CoseSign1 {
  /** Content of the protected header's byte string: the bytes that the signature covers. */
  readonly protectedHeader: Uint8Array;
  /** The unprotected header, decoded. No signature covers it. */
  readonly unprotectedHeader: CborMap;
  /** The unprotected header as encoded; `a0` when it is empty. */
  readonly unprotectedBytes: Uint8Array;
  /** Content of the payload's byte string. */
  readonly payload: Uint8Array;
  /** The signature, r and s one after the other (RFC 9053 §2.1). */
  readonly signature: Uint8Array;
}

/** Why bytes are not a COSE_Sign1. */
export type CoseErrorCode =
  | 'COSE_TAG'
  | 'COSE_NOT_ARRAY'
  | 'COSE_INDEFINITE_ARRAY'
  | 'COSE_ELEMENT_COUNT'
  | 'COSE_PROTECTED_TYPE'
  | 'COSE_UNPROTECTED_TYPE'
  | 'COSE_PAYLOAD_DETACHED'
  | 'COSE_PAYLOAD_TYPE'
  | 'COSE_SIGNATURE_TYPE';

/** The bytes are CBOR but not a COSE_Sign1. */
export class CoseError extends NitroEnclavesError<CoseErrorCode> {}

/** The tag that may stand before a COSE_Sign1: 18 (RFC 9052 §2). */
const COSE_SIGN1_TAG = 0xd2;
const ARRAY_OF_FOUR = 0x84;

/** Why the first byte of the array is not that of an array of four. */
function codeOfHead(initial: number): CoseErrorCode {
  const majorType = initial >> 5;
  if (majorType === 6) return 'COSE_TAG';
  if (majorType !== 4) return 'COSE_NOT_ARRAY';
  return initial === 0x9f ? 'COSE_INDEFINITE_ARRAY' : 'COSE_ELEMENT_COUNT';
}

const refuse: Refuse<CoseErrorCode> = refuseWith(CoseError);

/** Reads the head of the four-element array. A definite length leaves nothing outside the signature free to vary. */
function readArrayHead(reader: CborReader): void {
  if (reader.peek() === COSE_SIGN1_TAG) reader.readByte();
  const { offset } = reader;
  const initial = reader.peek() ?? 0;
  if (initial !== ARRAY_OF_FOUR) {
    const found = `0x${initial.toString(16)}`;
    refuse(codeOfHead(initial), 'COSE_Sign1', 'an array of four (0x84)', found, { offset });
  }
  reader.readByte();
}

/** Reads an element; `absentCode` is that of a null in its place. */
function readBytes(
  reader: CborReader,
  path: string,
  code: CoseErrorCode,
  absentCode: CoseErrorCode = code,
): Uint8Array {
  const value = reader.readValue(1);
  return value instanceof Uint8Array ? value : refuse(value === null ? absentCode : code, path, 'bytes');
}

/**
 * Decodes a COSE_Sign1, untagged or with tag 18, from a private copy of `bytes`. Nothing is verified.
 * @throws {CborError} when the bytes are not CBOR of the profile.
 * @throws {CoseError} when they are, but not a COSE_Sign1; a detached (null) payload is refused.
 */
export function decodeCoseSign1(bytes: Uint8Array, limits: CborLimits = {}): CoseSign1 {
  const reader = new CborReader(bytes, limits);
  readArrayHead(reader);
  const protectedHeader = readBytes(reader, '$.protected', 'COSE_PROTECTED_TYPE');
  const { offset } = reader;
  const unprotectedHeader = reader.readValue(1);
  if (!(unprotectedHeader instanceof Map)) return refuse('COSE_UNPROTECTED_TYPE', '$.unprotected', 'a map');
  const unprotectedBytes = reader.encodedSince(offset);
  const payload = readBytes(reader, '$.payload', 'COSE_PAYLOAD_TYPE', 'COSE_PAYLOAD_DETACHED');
  const signature = readBytes(reader, '$.signature', 'COSE_SIGNATURE_TYPE');
  reader.expectEnd();
  return { protectedHeader, unprotectedHeader, unprotectedBytes, payload, signature };
}

/** Encodes a COSE_Sign1 without a tag, its unprotected header empty: the form that the NSM and EIF signatures use. */
export function encodeCoseSign1(
  message: Pick<CoseSign1, 'protectedHeader' | 'payload' | 'signature'>,
): Uint8Array<ArrayBuffer> {
  return encodeCbor([message.protectedHeader, new Map(), message.payload, message.signature]);
}

const BYTE_STRING = 2;
/** The context "Signature1", in CBOR: `j` is the head of a text of ten bytes. */
const CONTEXT = new TextEncoder().encode('jSignature1');
const EMPTY_BYTE_STRING = Uint8Array.of(0x40);

/**
 * The Sig_structure: the bytes that a COSE_Sign1's signature covers (RFC 9052 §4.4), external_aad empty. Built from the
 * received bytes: a second encoding of the same header must not verify.
 */
export function sigStructure({
  protectedHeader,
  payload,
}: Pick<CoseSign1, 'protectedHeader' | 'payload'>): Uint8Array<ArrayBuffer> {
  return concatBytes(
    Uint8Array.of(ARRAY_OF_FOUR),
    CONTEXT,
    encodeHead(BYTE_STRING, protectedHeader.length),
    protectedHeader,
    EMPTY_BYTE_STRING,
    encodeHead(BYTE_STRING, payload.length),
    payload,
  );
}
