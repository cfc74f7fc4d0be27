import type { CborMap, CborValue, CoseSign1 } from '@nitro-enclaves/core';
import { bytesEqual, decodeCbor, decodeCoseSign1 } from '@nitro-enclaves/core';
import type { Checklist } from './checks.ts';
import { AttestationError, at } from './error.ts';
import { expectDocumentBytes, MAX_DOCUMENT_BYTES } from './input.ts';

/** Longest payload, in bytes (attestation_process.md §3.1: payload 1..16384). */
const MAX_PAYLOAD_BYTES = 16_384;
/** Caps of one decoding: five times what the largest genuine document uses. */
const LIMITS = { maxBytes: MAX_DOCUMENT_BYTES, maxDepth: 8, maxItems: 1024 };

/** COSE header parameter `alg` (RFC 9052 §3.1). */
const ALGORITHM = 1;
/** ECDSA with SHA-384 (RFC 9053 §2.1). */
const ES384 = -35;
/** {1: -35}: the only protected header that the NSM writes. */
const PROTECTED_HEADER = Uint8Array.of(0xa1, 0x01, 0x38, 0x22);
/** {}: the only unprotected header that the NSM writes. */
const EMPTY_MAP = Uint8Array.of(0xa0);

/** The COSE_Sign1 and its payload, decoded once: what is checked is what is reported. */
export interface Envelope {
  readonly message: CoseSign1;
  readonly payload: CborMap;
}

function describeValue(value: CborValue): string {
  return value instanceof Map ? 'a map' : typeof value === 'number' ? String(value) : typeof value;
}

/** Says which rule a protected header breaks that is not the one the NSM writes. */
function refuseProtectedHeader(header: Uint8Array): never {
  const path = '$.protected';
  const decoded = at(path, () => decodeCbor(header, LIMITS));
  if (!(decoded instanceof Map) || decoded.get(ALGORITHM) !== ES384) {
    const found = decoded instanceof Map ? describeValue(decoded.get(ALGORITHM)) : describeValue(decoded);
    throw new AttestationError('PROTECTED_HEADER_ALGORITHM', `expected the algorithm ES384 (-35), found ${found}`, {
      path,
    });
  }
  if (decoded.size > 1) {
    throw new AttestationError('PROTECTED_HEADER_PARAMETER', 'expected no header parameter but alg, found more', {
      path,
    });
  }
  throw new AttestationError('PROTECTED_HEADER_ENCODING', 'expected {1: -35} as a1013822, found another encoding', {
    path,
  });
}

/** attestation_process.md §3.1. An algorithm of the sender's choice, or one that we do not check, is a way around the signature. */
function checkProtectedHeader({ protectedHeader }: CoseSign1): void {
  if (!bytesEqual(protectedHeader, PROTECTED_HEADER)) refuseProtectedHeader(protectedHeader);
}

/** No signature covers this header: anything in it could be put there on the way, and makes two documents of one. */
function checkUnprotectedHeader({ unprotectedBytes }: CoseSign1): void {
  if (bytesEqual(unprotectedBytes, EMPTY_MAP)) return;
  throw new AttestationError(
    'UNPROTECTED_HEADER_NOT_EMPTY',
    'expected an empty unprotected header (a0), found another',
    {
      path: '$.unprotected',
    },
  );
}

function decodePayload({ payload }: CoseSign1): CborMap {
  const path = '$.payload';
  if (payload.length < 1 || payload.length > MAX_PAYLOAD_BYTES) {
    throw new AttestationError(
      'PAYLOAD_LENGTH',
      `expected a payload of 1 to ${MAX_PAYLOAD_BYTES} bytes, found ${payload.length}`,
      { path },
    );
  }
  const decoded = at(path, () => decodeCbor(payload, LIMITS));
  if (decoded instanceof Map) return decoded;
  throw new AttestationError('PAYLOAD_NOT_MAP', `expected a map as the payload, found ${describeValue(decoded)}`, {
    path,
  });
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
