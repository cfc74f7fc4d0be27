import type { CborMap, CborValue } from '@nitro-enclaves/core';
import { encodeHex } from '@nitro-enclaves/core';
import type { AttestationErrorCode } from './error.ts';
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

/** The name of a value's type, for refusals. */
export function typeName(value: CborValue): string {
  return value?.constructor.name ?? `${value}`;
}

function refuseType(path: string, expected: string, value: CborValue): never {
  return refuse('FIELD_TYPE', path, expected, typeName(value));
}

/** §3.2.2.2. Bounded, so that nothing can be grown into work for those who look at it later. */
function expectCount(
  code: AttestationErrorCode,
  path: string,
  [least, most]: readonly [number, number],
  count: number,
): void {
  if (count < least || count > most) refuse(code, path, `${least} to ${most}`, count);
}

function readText(value: CborValue, path: string): string {
  return typeof value === 'string' ? value : refuseType(path, 'text', value);
}

/** A copy: what the caller writes into a result changes nothing that was verified. */
function readBytes(value: CborValue, path: string, least: number): Uint8Array {
  if (!(value instanceof Uint8Array)) return refuseType(path, 'bytes', value);
  expectCount('FIELD_LENGTH', path, [least, MAX_FIELD_BYTES], value.length);
  return value.slice();
}

function readCertificate(value: CborValue, path: string): Uint8Array {
  return readBytes(value, path, 1);
}

/** AWS's text makes the field optional, AWS's NSM sends null: both mean that there is none. */
function readOptional(value: CborValue, path: string): Uint8Array | null {
  return value === undefined || value === null ? null : readBytes(value, path, 0);
}

/** §3.2.2.2. Compared with nothing, but shown and logged: never nobody's. */
function readModuleId(value: CborValue, path: string): string {
  return readText(value, path) || refuse('FIELD_MODULE_ID_EMPTY', path, 'non-empty text');
}

/** §3.2.2.2. Another hash function would give other registers, of other lengths, that match other values. */
function readDigest(value: CborValue, path: string): 'SHA384' {
  const digest = readText(value, path);
  return digest === 'SHA384' ? digest : refuse('FIELD_DIGEST', path, 'SHA384', JSON.stringify(digest.slice(0, 16)));
}

/** §3.2.2.2. In ms and whole; what is beyond 2^53 was refused before: rounded, it would be another moment. */
function readTimestamp(value: CborValue, path: string): number {
  if (typeof value !== 'number') return refuseType(path, 'an integer', value);
  return value > 0 ? value : refuse('FIELD_TIMESTAMP', path, 'more than 0 ms', value);
}

/**
 * §3.2.2.2. Never "16 PCRs": genuine documents list 16, 17, 24 and 32, whatever was locked. A register beyond the 32, or of
 * another length, would be compared with nothing, or be cut.
 */
function readPcrs(values: CborValue, path: string): Pcrs {
  if (!(values instanceof Map)) return refuseType(path, 'a map', values);
  expectCount('FIELD_PCRS_COUNT', path, [1, PCR_COUNT], values.size);
  const pcrs: Record<number, string> = Object.create(null);
  for (const [index, value] of values) {
    if (typeof index !== 'number') return refuse('FIELD_PCR_INDEX', path, 'integers', 'text');
    expectCount('FIELD_PCR_INDEX', path, [0, PCR_COUNT - 1], index);
    const place = `${path}[${index}]`;
    if (!(value instanceof Uint8Array)) return refuseType(place, 'bytes', value);
    expectCount('FIELD_PCR_LENGTH', place, [PCR_BYTES, PCR_BYTES], value.length);
    pcrs[index] = encodeHex(value);
  }
  return Object.freeze(pcrs);
}

/** §3.2.2.2. Each certificate is a signature to verify: a bundle without end would be work without end. */
function readCaBundle(values: CborValue, path: string): readonly Uint8Array[] {
  if (!Array.isArray(values)) return refuseType(path, 'an array', values);
  expectCount('FIELD_CABUNDLE_COUNT', path, [1, MAX_CABUNDLE], values.length);
  return Object.freeze(values.map((value, index) => readCertificate(value, `${path}[${index}]`)));
}

/** Reads the fields of a decoded payload (attestation_process.md §3.2.2, syntactical validation). */
export function readDocument(payload: CborMap): AttestationDocument {
  const left = new Map(payload);
  const optional = <T>(name: string, read: (value: CborValue, path: string) => T): T => {
    const value = left.get(name);
    left.delete(name);
    return read(value, `$.${name}`);
  };
  /** §3.2.2.1. A field that is left out must not be taken for one that is empty. */
  const mandatory: typeof optional = (name, read) =>
    left.has(name) ? optional(name, read) : refuse('FIELD_MISSING', `$.${name}`, 'a field');
  const kind = left.has('nitrotpm_pcrs') ? 'nitrotpm' : 'enclave';
  // With both kinds of PCRs, two readers could each judge by other values.
  if (payload.has('pcrs') && payload.has('nitrotpm_pcrs'))
    refuse('FIELD_PCRS_AMBIGUOUS', '$', 'pcrs or nitrotpm_pcrs', 'both');
  return {
    kind,
    moduleId: mandatory('module_id', readModuleId),
    digest: mandatory('digest', readDigest),
    timestamp: mandatory('timestamp', readTimestamp),
    pcrs: mandatory(kind === 'enclave' ? 'pcrs' : 'nitrotpm_pcrs', readPcrs),
    certificate: mandatory('certificate', readCertificate),
    caBundle: mandatory('cabundle', readCaBundle),
    publicKey: optional('public_key', readOptional),
    userData: optional('user_data', readOptional),
    nonce: optional('nonce', readOptional),
    unknownFields: readUnknownFields(left),
  };
}

/** Passed over but shown: AWS may add fields, and a policy may refuse what nobody here understands. */
function readUnknownFields(left: CborMap): readonly UnknownField[] {
  const unknown = Array.from(left, ([name, value]) =>
    Object.freeze({
      name: typeof name === 'string' ? name : refuse('FIELD_NAME_TYPE', '$', 'text', name),
      value,
    }),
  );
  return Object.freeze(unknown);
}
