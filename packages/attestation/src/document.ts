import type { CborMap, CborValue } from '@nitro-enclaves/core';
import { encodeHex } from '@nitro-enclaves/core';
import { AttestationError } from './error.ts';

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
const MAX_CERTIFICATE_BYTES = 1024;
/** AWS sends four; RFC 5280 paths of this PKI cannot be longer than the root's successors allow. */
const MAX_CABUNDLE = 8;
// One paragraph of attestation_process.md says 512 for two of them; genuine documents have 1024 (and 0) in all three.
const MAX_OPTIONAL_BYTES = 1024;

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

const TYPES: readonly [(value: unknown) => boolean, string][] = [
  [(value) => value === null || value === undefined, 'null'],
  [(value) => value instanceof Uint8Array, 'a byte string'],
  [(value) => value instanceof Map, 'a map'],
  [Array.isArray, 'an array'],
  [(value) => typeof value === 'string', 'text'],
];

function typeOf(value: CborValue): string {
  return TYPES.find(([matches]) => matches(value))?.[1] ?? `a ${typeof value}`;
}

function refuseType(path: string, expected: string, value: CborValue): never {
  throw new AttestationError('FIELD_TYPE', `expected ${path} to be ${expected}, found ${typeOf(value)}`, { path });
}

function mandatory(payload: CborMap, name: string): CborValue {
  const path = `$.${name}`;
  if (!payload.has(name))
    throw new AttestationError('FIELD_MISSING', `expected the field ${path}, found none`, { path });
  return payload.get(name);
}

function readModuleId(payload: CborMap): string {
  const moduleId = mandatory(payload, 'module_id');
  if (typeof moduleId !== 'string') return refuseType('$.module_id', 'text', moduleId);
  if (moduleId !== '') return moduleId;
  throw new AttestationError('FIELD_MODULE_ID_EMPTY', 'expected $.module_id to be non-empty text', {
    path: '$.module_id',
  });
}

function readDigest(payload: CborMap): 'SHA384' {
  const digest = mandatory(payload, 'digest');
  if (typeof digest !== 'string') return refuseType('$.digest', 'text', digest);
  if (digest === 'SHA384') return digest;
  throw new AttestationError(
    'FIELD_DIGEST',
    `expected $.digest to be SHA384, found ${JSON.stringify(digest.slice(0, 16))}`,
    {
      path: '$.digest',
    },
  );
}

function readTimestamp(payload: CborMap): number {
  const timestamp = mandatory(payload, 'timestamp');
  if (typeof timestamp !== 'number') return refuseType('$.timestamp', 'an integer', timestamp);
  if (timestamp > 0) return timestamp;
  throw new AttestationError('FIELD_TIMESTAMP', `expected $.timestamp to be above 0 ms, found ${timestamp}`, {
    path: '$.timestamp',
  });
}

function readPcr(index: number | string, value: CborValue, path: string): string {
  if (typeof index !== 'number' || index < 0 || index >= PCR_COUNT) {
    throw new AttestationError('FIELD_PCR_INDEX', `expected PCR indexes from 0 to 31, found ${JSON.stringify(index)}`, {
      path,
    });
  }
  if (!(value instanceof Uint8Array)) return refuseType(`${path}[${index}]`, 'a byte string', value);
  if (value.length === PCR_BYTES) return encodeHex(value);
  throw new AttestationError(
    'FIELD_PCR_LENGTH',
    `expected PCR${index} to be 48 bytes (SHA384), found ${value.length}`,
    {
      path: `${path}[${index}]`,
    },
  );
}

/** Never "16 PCRs": genuine documents list 16, 17, 24 and 32, whatever was locked. */
function readPcrs(payload: CborMap, name: string): Pcrs {
  const path = `$.${name}`;
  const values = mandatory(payload, name);
  if (!(values instanceof Map)) return refuseType(path, 'a map', values);
  if (values.size < 1 || values.size > PCR_COUNT) {
    throw new AttestationError('FIELD_PCRS_COUNT', `expected 1 to 32 PCRs in ${path}, found ${values.size}`, { path });
  }
  const pcrs: Record<number, string> = Object.create(null);
  for (const [index, value] of values) pcrs[Number(index)] = readPcr(index, value, path);
  return Object.freeze(pcrs);
}

function expectLength(bytes: Uint8Array, path: string, { min, max }: { min: number; max: number }): void {
  if (bytes.length >= min && bytes.length <= max) return;
  throw new AttestationError('FIELD_LENGTH', `expected ${path} to have ${min} to ${max} bytes, found ${bytes.length}`, {
    path,
  });
}

function readCertificate(value: CborValue, path: string): Uint8Array {
  if (!(value instanceof Uint8Array)) return refuseType(path, 'a byte string', value);
  expectLength(value, path, { min: 1, max: MAX_CERTIFICATE_BYTES });
  return value.slice();
}

function readCaBundle(payload: CborMap): readonly Uint8Array[] {
  const path = '$.cabundle';
  const values = mandatory(payload, 'cabundle');
  if (!Array.isArray(values)) return refuseType(path, 'an array', values);
  if (values.length < 1 || values.length > MAX_CABUNDLE) {
    throw new AttestationError(
      'FIELD_CABUNDLE_COUNT',
      `expected 1 to ${MAX_CABUNDLE} certificates in ${path}, found ${values.length}`,
      { path },
    );
  }
  return Object.freeze(values.map((value, index) => readCertificate(value, `${path}[${index}]`)));
}

/** AWS's text makes the field optional, AWS's NSM sends null: both mean that there is none. */
function readOptional(payload: CborMap, name: string): Uint8Array | null {
  const value = payload.get(name);
  if (value === undefined || value === null) return null;
  if (!(value instanceof Uint8Array)) return refuseType(`$.${name}`, 'a byte string or null', value);
  expectLength(value, `$.${name}`, { min: 0, max: MAX_OPTIONAL_BYTES });
  return value.slice();
}

/** The PCRs of the one or the other kind. With both, two readers could each judge by other values. */
function readKind(payload: CborMap): DocumentKind {
  if (!payload.has('nitrotpm_pcrs')) return 'enclave';
  if (!payload.has('pcrs')) return 'nitrotpm';
  throw new AttestationError('FIELD_PCRS_AMBIGUOUS', 'expected pcrs or nitrotpm_pcrs, found both', { path: '$' });
}

function readUnknownFields(payload: CborMap): readonly UnknownField[] {
  const unknown: UnknownField[] = [];
  for (const [name, value] of payload) {
    if (typeof name !== 'string') {
      throw new AttestationError('FIELD_NAME_TYPE', `expected field names to be text, found ${name}`, { path: '$' });
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
