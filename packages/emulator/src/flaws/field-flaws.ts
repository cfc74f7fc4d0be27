import { DER_TAG } from '@nitro-enclaves/core';
import { encodeDer } from '../pki/der-writer.ts';
import type { DocumentAlterations } from '../pki/document.ts';
import { encodeValue } from '../pki/document.ts';
import { Extension } from '../pki/x509.ts';
import { atLevel, changeExtensions } from './certificate-flaws.ts';
import { appendEntry } from './edit.ts';
import type { Flaw } from './flaw.ts';
import { flaw } from './flaw.ts';

/** Fields that every document has. */
type MandatoryField = 'module_id' | 'digest' | 'timestamp' | 'pcrs' | 'certificate' | 'cabundle';
/** Fields that the enclave fills. */
type OptionalField = 'public_key' | 'user_data' | 'nonce';

/** Names of {@link FIELD_FLAWS}. */
export type FieldFlawName =
  | `${MandatoryField}-missing`
  | `${MandatoryField | OptionalField}-type`
  | `${OptionalField}-too-long`
  | 'field-name-number'
  | 'module_id-empty'
  | 'digest-sha256'
  | 'timestamp-zero'
  | 'timestamp-negative'
  | 'certificate-empty'
  | 'certificate-too-long'
  | 'cabundle-empty'
  | 'cabundle-too-many'
  | 'cabundle-item-empty'
  | 'cabundle-item-type'
  | 'pcrs-both-kinds'
  | 'pcrs-empty'
  | 'pcrs-too-many'
  | 'pcr-index-32'
  | 'pcr-index-negative'
  | 'pcr-index-text'
  | 'pcr-short'
  | 'pcr-long'
  | 'pcr-sha256-length'
  | 'pcr-text';

function setField(name: MandatoryField | OptionalField, value: unknown): DocumentAlterations {
  return { fields: (fields) => fields.set(name, value) };
}

function missing(name: MandatoryField): Flaw {
  return flaw(`The field ${name} is missing`, 'FIELD_MISSING', {
    fields: (fields) => new Map([...fields].filter(([key]) => key !== name)),
  });
}

function wrongType(name: MandatoryField | OptionalField, value: unknown): Flaw {
  return flaw(`The field ${name} has another type`, 'FIELD_TYPE', setField(name, value));
}

function tooLong(name: OptionalField): Flaw {
  return flaw(`The field ${name} is longer than 1024 bytes`, 'FIELD_LENGTH', setField(name, new Uint8Array(1025)));
}

const PCR_BYTES = 48;

function changePcrs(change: (pcrs: Map<unknown, unknown>) => Map<unknown, unknown>): DocumentAlterations {
  return { fields: (fields) => fields.set('pcrs', change(new Map(fields.get('pcrs') as Map<unknown, unknown>))) };
}

function setPcr(index: unknown, value: unknown): DocumentAlterations {
  return changePcrs((pcrs) => pcrs.set(index, value));
}

/** The last register under another index: none that tells an image from another, where there are more. */
function moveLastPcr(index: unknown): DocumentAlterations {
  return changePcrs((pcrs) => {
    const last = Math.max(...[...pcrs.keys()].map(Number));
    const value = pcrs.get(last);
    pcrs.delete(last);
    return pcrs.set(index, value);
  });
}

/** A register that is zero in every enclave. */
const UNUSED_PCR = 9;

function changeCaBundle(change: (bundle: readonly Uint8Array[]) => readonly unknown[]): DocumentAlterations {
  return { fields: (fields) => fields.set('cabundle', change(fields.get('cabundle') as Uint8Array[])) };
}

/** 33 registers with indexes 0 to 32. */
function tooManyPcrs(): Map<unknown, unknown> {
  return new Map(Array.from({ length: 33 }, (_, index) => [index, new Uint8Array(PCR_BYTES)]));
}

/** What is wrong with the fields of the payload. */
export const FIELD_FLAWS: Readonly<Record<FieldFlawName, Flaw>> = {
  'module_id-missing': missing('module_id'),
  'digest-missing': missing('digest'),
  'timestamp-missing': missing('timestamp'),
  'pcrs-missing': missing('pcrs'),
  'certificate-missing': missing('certificate'),
  'cabundle-missing': missing('cabundle'),
  'module_id-type': wrongType('module_id', Uint8Array.of(1)),
  'digest-type': wrongType('digest', 384),
  'timestamp-type': wrongType('timestamp', 'now'),
  'pcrs-type': wrongType('pcrs', []),
  'certificate-type': wrongType('certificate', 'certificate'),
  'cabundle-type': wrongType('cabundle', Uint8Array.of(1)),
  'public_key-type': wrongType('public_key', 'key'),
  'user_data-type': wrongType('user_data', 'data'),
  'nonce-type': wrongType('nonce', 7),
  'public_key-too-long': tooLong('public_key'),
  'user_data-too-long': tooLong('user_data'),
  'nonce-too-long': tooLong('nonce'),
  'field-name-number': flaw('A field name is a number', 'FIELD_NAME_TYPE', {
    payload: (payload) => appendEntry(payload, encodeValue(7), encodeValue(null)),
  }),
  'module_id-empty': flaw('The module id is empty', 'FIELD_MODULE_ID_EMPTY', setField('module_id', '')),
  'digest-sha256': flaw('The digest is SHA256', 'FIELD_DIGEST', setField('digest', 'SHA256')),
  'timestamp-zero': flaw('The timestamp is zero', 'FIELD_TIMESTAMP', setField('timestamp', 0)),
  'timestamp-negative': flaw('The timestamp is before 1970', 'FIELD_TIMESTAMP', setField('timestamp', -1)),
  'certificate-empty': flaw(
    'The leaf certificate has no bytes',
    'FIELD_LENGTH',
    setField('certificate', new Uint8Array(0)),
  ),
  'certificate-too-long': flaw(
    'The leaf certificate is longer than 1024 bytes',
    'FIELD_LENGTH',
    atLevel(
      'leaf',
      changeExtensions((extensions) => [
        ...extensions,
        new Extension('1.3.6.1.4.1.99999.2', false, encodeDer(DER_TAG.OCTET_STRING, new Uint8Array(640))),
      ]),
    ),
  ),
  'cabundle-empty': flaw(
    'The chain is empty',
    'FIELD_CABUNDLE_COUNT',
    changeCaBundle(() => []),
  ),
  'cabundle-too-many': flaw(
    'The chain has nine authorities',
    'FIELD_CABUNDLE_COUNT',
    // The root is its own issuer: as many of it as one likes are a chain.
    changeCaBundle(([root, ...rest]) => [...Array.from({ length: 9 - rest.length }, () => root), ...rest]),
  ),
  'cabundle-item-empty': flaw(
    'A certificate of the chain has no bytes',
    'FIELD_LENGTH',
    changeCaBundle(([root, , ...rest]) => [root, new Uint8Array(0), ...rest]),
  ),
  'cabundle-item-type': flaw(
    'A certificate of the chain is text',
    'FIELD_TYPE',
    changeCaBundle(([root, , ...rest]) => [root, 'certificate', ...rest]),
  ),
  'pcrs-both-kinds': flaw('The document has the PCRs of both kinds', 'FIELD_PCRS_AMBIGUOUS', {
    fields: (fields) => fields.set('nitrotpm_pcrs', fields.get('pcrs')),
  }),
  'pcrs-empty': flaw(
    'The document has no PCR',
    'FIELD_PCRS_COUNT',
    changePcrs(() => new Map()),
  ),
  'pcrs-too-many': flaw('The document has 33 PCRs', 'FIELD_PCRS_COUNT', changePcrs(tooManyPcrs)),
  'pcr-index-32': flaw('A PCR has the index 32', 'FIELD_PCR_INDEX', moveLastPcr(32)),
  'pcr-index-negative': flaw('A PCR has a negative index', 'FIELD_PCR_INDEX', moveLastPcr(-1)),
  'pcr-index-text': flaw('A PCR has a text as its index', 'FIELD_PCR_INDEX', moveLastPcr('0')),
  'pcr-short': flaw('A PCR has 47 bytes', 'FIELD_PCR_LENGTH', setPcr(UNUSED_PCR, new Uint8Array(PCR_BYTES - 1))),
  'pcr-long': flaw('A PCR has 49 bytes', 'FIELD_PCR_LENGTH', setPcr(UNUSED_PCR, new Uint8Array(PCR_BYTES + 1))),
  'pcr-sha256-length': flaw(
    'A PCR has the length of SHA-256',
    'FIELD_PCR_LENGTH',
    setPcr(UNUSED_PCR, new Uint8Array(32)),
  ),
  'pcr-text': flaw('A PCR is text', 'FIELD_TYPE', setPcr(UNUSED_PCR, '00')),
};
