import type { CborMap, CoseSign1 } from '@nitro-enclaves/core';
import { constantTimeEqual, decodeCbor, decodeCoseSign1 } from '@nitro-enclaves/core';
import type { Checklist } from './checks.ts';
import { typeName } from './document.ts';
import { at, refuse } from './error.ts';
import { expectDocumentBytes, MAX_DOCUMENT_BYTES } from './input.ts';

/** Longest payload, in bytes (attestation_process.md §3.1: payload 1..16384). */
const MAX_PAYLOAD_BYTES = 16_384;
/** Caps of one decoding: five times what the largest genuine document uses; of levels, the decoder's own 8. */
const LIMITS = { maxBytes: MAX_DOCUMENT_BYTES, maxItems: 1024 };

/** COSE header parameter `alg` (RFC 9052 §3.1). */
const ALGORITHM = 1;
/** ECDSA with SHA-384 (RFC 9053 §2.1). */
const ES384 = -35;
/** {1: -35}: the only protected header that the NSM writes. */
const PROTECTED_HEADER = Uint8Array.of(0xa1, 0x01, 0x38, 0x22);

/** The COSE_Sign1 and its payload, decoded once: what is checked is what is reported. */
export interface Envelope {
  readonly message: CoseSign1;
  readonly payload: CborMap;
}

/** attestation_process.md §3.1. An algorithm of the sender's choice, or one that we do not check, is a way around the signature. */
function checkProtectedHeader({ protectedHeader }: CoseSign1): void {
  if (constantTimeEqual(protectedHeader, PROTECTED_HEADER)) return;
  const path = '$.protected';
  const decoded = at(path, () => decodeCbor(protectedHeader, LIMITS));
  const parameters: CborMap = decoded instanceof Map ? decoded : new Map();
  const algorithm = parameters.get(ALGORITHM);
  if (algorithm !== ES384) refuse('PROTECTED_HEADER_ALGORITHM', path, 'ES384 (-35)', algorithm);
  if (parameters.size > 1) refuse('PROTECTED_HEADER_PARAMETER', path, 'alg alone', `${parameters.size} parameters`);
  refuse('PROTECTED_HEADER_ENCODING', path, 'a1013822');
}

/** No signature covers this header: anything in it could be put there on the way, and makes two documents of one. */
function checkUnprotectedHeader({ unprotectedBytes }: CoseSign1): void {
  // Of one byte there is one map, the a0 that the NSM writes.
  if (unprotectedBytes.length > 1) refuse('UNPROTECTED_HEADER_NOT_EMPTY', '$.unprotected', 'an empty map');
}

function decodePayload({ payload }: CoseSign1): CborMap {
  const path = '$.payload';
  if (payload.length < 1 || payload.length > MAX_PAYLOAD_BYTES) {
    refuse('PAYLOAD_LENGTH', path, `1 to ${MAX_PAYLOAD_BYTES} bytes`, payload.length);
  }
  const decoded = at(path, () => decodeCbor(payload, { ...LIMITS, copy: false }));
  return decoded instanceof Map ? decoded : refuse('PAYLOAD_NOT_MAP', path, 'a map', typeName(decoded));
}

/** Decodes the COSE_Sign1 and its payload under the rules that need no key. */
export function openEnvelope(input: Uint8Array, checklist: Checklist): Envelope {
  const message = checklist.require('envelope', () => {
    expectDocumentBytes(input);
    return at('$', () => decodeCoseSign1(input, LIMITS));
  });
  checklist.judge('protected-header', () => checkProtectedHeader(message));
  checklist.judge('unprotected-header', () => checkUnprotectedHeader(message));
  const payload = checklist.require('payload', () => decodePayload(message));
  return { message, payload };
}
