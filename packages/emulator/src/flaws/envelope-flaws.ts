import { concatBytes } from '@nitro-enclaves/core';
import type { DocumentAlterations, DocumentElements } from '../pki/document.ts';
import { encodeValue } from '../pki/document.ts';
import { appendUnknownField, bytesOf } from './edit.ts';
import type { Flaw } from './flaw.ts';
import { flaw } from './flaw.ts';

/** Names of {@link ENVELOPE_FLAWS}. */
export type EnvelopeFlawName =
  | 'document-empty'
  | 'document-base64'
  | 'document-too-large'
  | 'document-cut'
  | 'document-trailing-byte'
  | 'envelope-other-tag'
  | 'envelope-not-array'
  | 'envelope-indefinite'
  | 'envelope-three-elements'
  | 'envelope-five-elements'
  | 'protected-header-not-bytes'
  | 'unprotected-header-not-map'
  | 'payload-detached'
  | 'payload-not-bytes'
  | 'signature-not-bytes'
  | 'algorithm-es256'
  | 'algorithm-missing'
  | 'algorithm-unprotected'
  | 'protected-header-empty'
  | 'protected-header-key-id'
  | 'protected-header-critical'
  | 'protected-header-indefinite'
  | 'unprotected-header-filled'
  | 'payload-empty'
  | 'payload-too-large'
  | 'payload-not-map';

function elements(change: (elements: DocumentElements) => Partial<DocumentElements>): DocumentAlterations {
  return { elements: (given) => ({ ...given, ...change(given) }) };
}

/** Replaces the head of the envelope's array, 0x84. */
function withHead(...head: readonly number[]): DocumentAlterations {
  return { encoded: (document) => concatBytes(bytesOf(...head), document.subarray(1)) };
}

function withProtectedHeader(header: ReadonlyMap<unknown, unknown>): DocumentAlterations {
  return { protectedHeader: () => encodeValue(header) };
}

const ES384 = -35;
const ES256 = -7;

/** What is wrong with the COSE_Sign1 around the payload. */
export const ENVELOPE_FLAWS: Readonly<Record<EnvelopeFlawName, Flaw>> = {
  'document-empty': flaw('There is no document at all', 'DOCUMENT_EMPTY', { encoded: () => new Uint8Array(0) }),
  'document-base64': flaw('The document is base64 text', 'DOCUMENT_IS_TEXT', {
    encoded: (document) => new TextEncoder().encode(Buffer.from(document).toString('base64')),
  }),
  'document-too-large': flaw('The document is larger than any genuine one', 'DOCUMENT_TOO_LARGE', {
    encoded: (document) => concatBytes(document, new Uint8Array(32_768)),
  }),
  'document-cut': flaw('The document ends early', 'CBOR_TRUNCATED', {
    encoded: (document) => document.subarray(0, -1),
  }),
  'document-trailing-byte': flaw('A byte follows the document', 'CBOR_TRAILING_BYTES', {
    encoded: (document) => concatBytes(document, bytesOf(0)),
  }),
  'envelope-other-tag': flaw('The envelope carries the tag of COSE_Mac0', 'COSE_TAG', withHead(0xd1, 0x84)),
  'envelope-not-array': flaw('The envelope is a map', 'COSE_NOT_ARRAY', withHead(0xa2)),
  'envelope-indefinite': flaw('The envelope is an array of indefinite length', 'COSE_INDEFINITE_ARRAY', {
    encoded: (document) => concatBytes(bytesOf(0x9f), document.subarray(1), bytesOf(0xff)),
  }),
  'envelope-three-elements': flaw('The envelope is an array of three', 'COSE_ELEMENT_COUNT', withHead(0x83)),
  'envelope-five-elements': flaw('The envelope has a fifth element', 'COSE_ELEMENT_COUNT', {
    encoded: (document) => concatBytes(bytesOf(0x85), document.subarray(1), bytesOf(0xf6)),
  }),
  'protected-header-not-bytes': flaw(
    'The protected header is a map instead of its bytes',
    'COSE_PROTECTED_TYPE',
    elements(() => ({ protectedHeader: new Map([[1, ES384]]) })),
  ),
  'unprotected-header-not-map': flaw(
    'The unprotected header is an array',
    'COSE_UNPROTECTED_TYPE',
    elements(() => ({ unprotectedHeader: [] })),
  ),
  'payload-detached': flaw(
    'The payload is detached',
    'COSE_PAYLOAD_DETACHED',
    elements(() => ({ payload: null })),
  ),
  'payload-not-bytes': flaw(
    'The payload is text',
    'COSE_PAYLOAD_TYPE',
    elements(() => ({ payload: 'payload' })),
  ),
  'signature-not-bytes': flaw(
    'The signature is null',
    'COSE_SIGNATURE_TYPE',
    elements(() => ({ signature: null })),
  ),
  'algorithm-es256': flaw(
    'The signed header names ES256',
    'PROTECTED_HEADER_ALGORITHM',
    withProtectedHeader(new Map([[1, ES256]])),
  ),
  'algorithm-missing': flaw(
    'The signed header names no algorithm',
    'PROTECTED_HEADER_ALGORITHM',
    withProtectedHeader(new Map()),
  ),
  'algorithm-unprotected': flaw(
    'The algorithm stands in the header that no signature covers',
    'PROTECTED_HEADER_ALGORITHM',
    {
      ...withProtectedHeader(new Map()),
      ...elements(() => ({ unprotectedHeader: new Map([[1, ES384]]) })),
    },
  ),
  'protected-header-empty': flaw('The protected header has no bytes', 'CBOR_TRUNCATED', {
    protectedHeader: () => new Uint8Array(0),
  }),
  'protected-header-key-id': flaw(
    'The signed header has a key id beside the algorithm',
    'PROTECTED_HEADER_PARAMETER',
    withProtectedHeader(
      new Map<unknown, unknown>([
        [1, ES384],
        [4, bytesOf(1)],
      ]),
    ),
  ),
  'protected-header-critical': flaw(
    'The signed header has critical parameters',
    'PROTECTED_HEADER_PARAMETER',
    withProtectedHeader(
      new Map<unknown, unknown>([
        [1, ES384],
        [2, [99]],
        [99, 1],
      ]),
    ),
  ),
  'protected-header-indefinite': flaw('The signed header is encoded otherwise', 'PROTECTED_HEADER_ENCODING', {
    protectedHeader: () => bytesOf(0xbf, 0x01, 0x38, 0x22, 0xff),
  }),
  'unprotected-header-filled': flaw(
    'The header that no signature covers has a parameter',
    'UNPROTECTED_HEADER_NOT_EMPTY',
    elements(() => ({ unprotectedHeader: new Map([[4, bytesOf(1)]]) })),
  ),
  'payload-empty': flaw('The payload has no bytes', 'PAYLOAD_LENGTH', { payload: () => new Uint8Array(0) }),
  'payload-too-large': flaw('The payload is larger than the hypervisor makes them', 'PAYLOAD_LENGTH', {
    payload: (payload) => appendUnknownField(payload, encodeValue(new Uint8Array(16_384))),
  }),
  'payload-not-map': flaw('The payload is an array', 'PAYLOAD_NOT_MAP', { payload: () => encodeValue([]) }),
};
