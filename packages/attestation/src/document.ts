import type { CborMap, CborValue } from '@nitro-enclaves/core';
import { encodeHex } from '@nitro-enclaves/core';
import { refuse } from './error.ts';

/** What issued a document: an enclave's NSM (`pcrs`) or an EC2 instance's NitroTPM (`nitrotpm_pcrs`). */
export type DocumentKind = 'enclave' | 'nitrotpm';

/** PCR values by index, as lower-case hexadecimal of 48 bytes. */
export type Pcrs = Readonly<Record<number, string>>;

/** A field that this version does not know. */
export interface UnknownField {
  readonly name: string;
  readonly value: CborValue;
}

/** The fields of an attestation document (attestation_process.md §3.2). Byte fields are copies of their own. */
export interface AttestationDocument {
  readonly kind: DocumentKind;
  /** `module_id`: the issuing NSM, `i-…-enc…` for an enclave. Informative. */
  readonly moduleId: string;
  /** `digest`: the hash function of the PCRs; always SHA384. */
  readonly digest: 'SHA384';
  /** `timestamp`: when the document was made, by the hypervisor's clock, in ms since the epoch. */
  readonly timestamp: number;
  /** `pcrs` or `nitrotpm_pcrs`: the locked PCRs. */
  readonly pcrs: Pcrs;
  /** `certificate`: the leaf certificate, DER. */
  readonly certificate: Uint8Array;
  /** `cabundle`: the certificates above it, root first, DER. */
  readonly caBundle: readonly Uint8Array[];
  /** `public_key`: 0 to 1024 bytes of the enclave's choice, often no DER; `null` when absent. */
  readonly publicKey: Uint8Array | null;
  /** `user_data`: 0 to 1024 bytes of the enclave's choice; `null` when absent. */
  readonly userData: Uint8Array | null;
  /** `nonce`: 0 to 1024 bytes, the challenge that the enclave was given; `null` when absent. */
  readonly nonce: Uint8Array | null;
  /** Fields that AWS may have added since. Signed like the rest, but not understood here. */
  readonly unknownFields: readonly UnknownField[];
}

const PCR_BYTES = 48;
const PCR_COUNT = 32;
/** Most certificates in a bundle, twice what AWS sends. */
const MAX_CABUNDLE = 8;
/**
 * Longest certificate, public key, user data and nonce. One paragraph of attestation_process.md says 512 for two of them;
 * genuine documents have 1024 (and 0) in all three optional ones.
 */
const MAX_FIELD_BYTES = 1024;

const KNOWN_FIELDS: ReadonlySet<string> = new Set([
  'module_id',
  'digest',
  'timestamp',
  'pcrs',
  'nitrotpm_pcrs',
  'certificate',
  'cabundle',
  'public_key',
  'user_data',
  'nonce',
]);

const TYPE_NAMES: readonly [(value: unknown) => boolean, string][] = [
  [(value) => value instanceof Uint8Array, 'bytes'],
  [(value) => value instanceof Map, 'map'],
  [Array.isArray, 'array'],
  [(value) => value === null, 'null'],
];

/** The name of a value's type, for refusals. */
export function typeName(value: CborValue): string {
  return TYPE_NAMES.find(([matches]) => matches(value))?.[1] ?? typeof value;
}

function refuseType(path: string, expected: string, value: CborValue): never {
  refuse('FIELD_TYPE', path, expected, typeName(value));
}

/** §3.2.2.1. A field that is left out must not be taken for one that is empty. */
function mandatory(payload: CborMap, name: string): CborValue {
  if (!payload.has(name)) refuse('FIELD_MISSING', `$.${name}`, 'a field');
  return payload.get(name);
}

/** §3.2.2.2. Compared with nothing, but shown and logged: never nobody's. */
function readModuleId(payload: CborMap): string {
  const path = '$.module_id';
  const moduleId = mandatory(payload, 'module_id');
  if (typeof moduleId !== 'string') refuseType(path, 'text', moduleId);
  if (moduleId === '') refuse('FIELD_MODULE_ID_EMPTY', path, 'text that is not empty');
  return moduleId;
}

/** §3.2.2.2. Another hash function would give other registers, of other lengths, that match other values. */
function readDigest(payload: CborMap): 'SHA384' {
  const path = '$.digest';
  const digest = mandatory(payload, 'digest');
  if (typeof digest !== 'string') refuseType(path, 'text', digest);
  if (digest !== 'SHA384') refuse('FIELD_DIGEST', path, 'SHA384', JSON.stringify(digest.slice(0, 16)));
  return digest;
}

/** §3.2.2.2. In ms and whole; what is beyond 2^53 was refused before: rounded, it would be another moment. */
function readTimestamp(payload: CborMap): number {
  const path = '$.timestamp';
  const timestamp = mandatory(payload, 'timestamp');
  if (typeof timestamp !== 'number') refuseType(path, 'an integer', timestamp);
  if (timestamp <= 0) refuse('FIELD_TIMESTAMP', path, 'more than 0 ms', timestamp);
  return timestamp;
}

/** §3.2.2.2. A register beyond the 32, or of another length, would be compared with nothing, or be cut. */
function readPcr(index: number | string, value: CborValue, path: string): string {
  if (typeof index !== 'number' || index < 0 || index >= PCR_COUNT) {
    refuse('FIELD_PCR_INDEX', path, 'indexes from 0 to 31', typeof index === 'number' ? index : 'text');
  }
  const place = `${path}[${index}]`;
  if (!(value instanceof Uint8Array)) refuseType(place, 'bytes', value);
  if (value.length !== PCR_BYTES) refuse('FIELD_PCR_LENGTH', place, `${PCR_BYTES} bytes`, value.length);
  return encodeHex(value);
}

/** Never "16 PCRs": genuine documents list 16, 17, 24 and 32, whatever was locked. */
function readPcrs(payload: CborMap, name: string): Pcrs {
  const path = `$.${name}`;
  const values = mandatory(payload, name);
  if (!(values instanceof Map)) refuseType(path, 'a map', values);
  if (values.size < 1 || values.size > PCR_COUNT) refuse('FIELD_PCRS_COUNT', path, '1 to 32 PCRs', values.size);
  const pcrs: Record<number, string> = Object.create(null);
  for (const [index, value] of values) pcrs[Number(index)] = readPcr(index, value, path);
  return Object.freeze(pcrs);
}

/** §3.2.2.2. Bounded, so that no field can be grown into work for those who read it later. */
function readBytes(value: CborValue, path: string, minLength: number): Uint8Array {
  if (!(value instanceof Uint8Array)) refuseType(path, 'bytes', value);
  if (value.length < minLength || value.length > MAX_FIELD_BYTES) {
    refuse('FIELD_LENGTH', path, `${minLength} to ${MAX_FIELD_BYTES} bytes`, value.length);
  }
  return value.slice();
}

function readCertificate(value: CborValue, path: string): Uint8Array {
  return readBytes(value, path, 1);
}

/** §3.2.2.2. Each certificate is a signature to verify: a bundle without end would be work without end. */
function readCaBundle(payload: CborMap): readonly Uint8Array[] {
  const path = '$.cabundle';
  const values = mandatory(payload, 'cabundle');
  if (!Array.isArray(values)) refuseType(path, 'an array', values);
  if (values.length < 1 || values.length > MAX_CABUNDLE) {
    refuse('FIELD_CABUNDLE_COUNT', path, `1 to ${MAX_CABUNDLE} certificates`, values.length);
  }
  return Object.freeze(values.map((value, index) => readCertificate(value, `${path}[${index}]`)));
}

/** AWS's text makes the field optional, AWS's NSM sends null: both mean that there is none. */
function readOptional(payload: CborMap, name: string): Uint8Array | null {
  const value = payload.get(name);
  return value === undefined || value === null ? null : readBytes(value, `$.${name}`, 0);
}

/** The PCRs of the one or the other kind. With both, two readers could each judge by other values. */
function readKind(payload: CborMap): DocumentKind {
  if (!payload.has('nitrotpm_pcrs')) return 'enclave';
  if (!payload.has('pcrs')) return 'nitrotpm';
  refuse('FIELD_PCRS_AMBIGUOUS', '$', 'pcrs or nitrotpm_pcrs', 'both');
}

/** Passed over but shown: AWS may add fields, and a policy may refuse what nobody here understands. */
function readUnknownFields(payload: CborMap): readonly UnknownField[] {
  const unknown: UnknownField[] = [];
  for (const [name, value] of payload) {
    if (typeof name !== 'string') {
      refuse('FIELD_NAME_TYPE', '$', 'text as names of fields', name);
    }
    if (!KNOWN_FIELDS.has(name)) unknown.push(Object.freeze({ name, value }));
  }
  return Object.freeze(unknown);
}

/** Reads the fields of a decoded payload (attestation_process.md §3.2.2, syntactical validation). */
export function readDocument(payload: CborMap): AttestationDocument {
  const kind = readKind(payload);
  return {
    kind,
    moduleId: readModuleId(payload),
    digest: readDigest(payload),
    timestamp: readTimestamp(payload),
    pcrs: readPcrs(payload, kind === 'enclave' ? 'pcrs' : 'nitrotpm_pcrs'),
    certificate: readCertificate(mandatory(payload, 'certificate'), '$.certificate'),
    caBundle: readCaBundle(payload),
    publicKey: readOptional(payload, 'public_key'),
    userData: readOptional(payload, 'user_data'),
    nonce: readOptional(payload, 'nonce'),
    unknownFields: readUnknownFields(payload),
  };
}
