import { StrictChecklist } from './checks.ts';
import { readDocument } from './document.ts';
import { openEnvelope } from './envelope.ts';
import type { UnverifiedAttestationDocument } from './verified-document.ts';

/**
 * Decodes a document and checks its form. Verifies nothing: whoever sent the bytes may have made them up, and so says the
 * result's type.
 * @throws {AttestationError} when the bytes are no attestation document.
 */
export function parseAttestationDocument(bytes: Uint8Array): UnverifiedAttestationDocument {
  const { payload } = openEnvelope(bytes, new StrictChecklist());
  return Object.freeze({ trust: 'none', ...readDocument(payload) });
}
