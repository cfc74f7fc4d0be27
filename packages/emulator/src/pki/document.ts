import { concatBytes, decodeHex, sigStructure } from '@nitro-enclaves/core';
import { Encoder } from 'cbor-x';
import type { ChainAlterations, NitroPki } from './nitro-pki.ts';
import type { P384KeyPair } from './p384-key.ts';

/** How the payload's map is encoded: with indefinite length as AWS has done since August 2025, or definite as before. */
export type PayloadEncoding = 'indefinite' | 'definite';

/** What goes into a document. */
export interface AttestationDocumentRequest {
  /** `enclave` (default): `pcrs`; `nitrotpm`: `nitrotpm_pcrs`. */
  readonly kind?: 'enclave' | 'nitrotpm';
  /** The issuing module, such as `i-1234567890abcdef0-enc0123456789abcdef`. */
  readonly moduleId: string;
  /** The locked PCRs: 48 bytes each, or their hexadecimal. */
  readonly pcrs: Readonly<Record<number, Uint8Array | string>>;
  /** 0 to 1024 bytes; `null` or absent for none. */
  readonly publicKey?: Uint8Array | null | undefined;
  /** 0 to 1024 bytes; `null` or absent for none. */
  readonly userData?: Uint8Array | null | undefined;
  /** 0 to 1024 bytes; `null` or absent for none. */
  readonly nonce?: Uint8Array | null | undefined;
  /** In ms since the epoch. Default: now by the PKI's clock. */
  readonly timestamp?: number | undefined;
  /** Default `indefinite`. */
  readonly encoding?: PayloadEncoding | undefined;
}

/** A COSE_Sign1 before it is encoded, its elements as CBOR values. */
export interface DocumentElements {
  readonly protectedHeader: unknown;
  readonly unprotectedHeader: unknown;
  readonly payload: unknown;
  readonly signature: unknown;
}

/** Changes to a document on its way, for making one that is wrong in one place and right everywhere else. */
export interface DocumentAlterations {
  readonly certificates?: ChainAlterations;
  /** Changes the payload's fields before they are encoded. */
  readonly fields?: (fields: Map<unknown, unknown>) => Map<unknown, unknown>;
  /** Changes the encoded payload before it is signed. */
  readonly payload?: (payload: Uint8Array) => Uint8Array;
  /** Changes the protected header's bytes before they are signed. */
  readonly protectedHeader?: (header: Uint8Array) => Uint8Array;
  /** Signs with another key than the leaf's. */
  readonly signer?: P384KeyPair;
  /** Changes the signature. */
  readonly signature?: (signature: Uint8Array) => Uint8Array;
  /** Changes the four elements before they are encoded. */
  readonly elements?: (elements: DocumentElements) => DocumentElements;
  /** Changes the finished document. */
  readonly encoded?: (document: Uint8Array) => Uint8Array;
}

/** {1: -35}: ES384, the only header parameter (RFC 9052 §3.1). */
export const PROTECTED_HEADER: Uint8Array = Uint8Array.of(0xa1, 0x01, 0x38, 0x22);

const ENCODER = new Encoder({ mapsAsObjects: false, useRecords: false, tagUint8Array: false, variableMapSize: true });

const INDEFINITE_MAP = Uint8Array.of(0xbf);
const BREAK = Uint8Array.of(0xff);

/** CBOR of one value, definite lengths. */
export function encodeValue(value: unknown): Uint8Array {
  return new Uint8Array(ENCODER.encode(value));
}

/** CBOR of the payload's map. */
export function encodePayload(fields: ReadonlyMap<unknown, unknown>, encoding: PayloadEncoding): Uint8Array {
  if (encoding === 'definite') return encodeValue(fields);
  return concatBytes(INDEFINITE_MAP, ...[...fields].flat().map(encodeValue), BREAK);
}

/** The bytes of a register's value. */
export function readPcr(value: Uint8Array | string): Uint8Array {
  return typeof value === 'string' ? decodeHex(value) : value;
}

/** The fields in AWS's order. Those that are absent are null, not left out. */
export function createFields(
  { kind = 'enclave', moduleId, pcrs, publicKey, userData, nonce }: AttestationDocumentRequest,
  { timestamp, certificate, caBundle }: { timestamp: number; certificate: Uint8Array; caBundle: readonly Uint8Array[] },
): Map<unknown, unknown> {
  const values = Object.entries(pcrs).map(([index, value]): [number, Uint8Array] => [Number(index), readPcr(value)]);
  return new Map<unknown, unknown>([
    ['module_id', moduleId],
    ['digest', 'SHA384'],
    // cbor-x would make a float of a number beyond 32 bits.
    ['timestamp', BigInt(timestamp)],
    [kind === 'enclave' ? 'pcrs' : 'nitrotpm_pcrs', new Map(values)],
    ['certificate', certificate],
    ['cabundle', caBundle],
    ['public_key', publicKey ?? null],
    ['user_data', userData ?? null],
    ['nonce', nonce ?? null],
  ]);
}

function encodeElements({ protectedHeader, unprotectedHeader, payload, signature }: DocumentElements): Uint8Array {
  return encodeValue([protectedHeader, unprotectedHeader, payload, signature]);
}

function same<T>(value: T): T {
  return value;
}

/**
 * Issues an attestation document: an untagged COSE_Sign1 with ES384, its payload signed by the leaf of the module's chain
 * (attestation_process.md §3). The same PKI seed and the same request give the same bytes.
 */
export async function issueAttestationDocument(
  pki: NitroPki,
  request: AttestationDocumentRequest,
  alterations: DocumentAlterations = {},
): Promise<Uint8Array> {
  const { timestamp = pki.clock(), encoding = 'indefinite' } = request;
  const { certificates } = alterations;
  const chain = await pki.chain(request.moduleId, {
    time: timestamp,
    ...(certificates && { alterations: certificates }),
  });
  const fields = (alterations.fields ?? same)(createFields(request, { timestamp, ...chain }));
  const payload = (alterations.payload ?? same)(encodePayload(fields, encoding));
  const protectedHeader = (alterations.protectedHeader ?? same)(PROTECTED_HEADER);
  const signer = alterations.signer ?? chain.leafKey;
  const signature = (alterations.signature ?? same)(signer.sign(sigStructure({ protectedHeader, payload })));
  const elements = { protectedHeader, unprotectedHeader: new Map(), payload, signature };
  return (alterations.encoded ?? same)(encodeElements((alterations.elements ?? same)(elements)));
}
