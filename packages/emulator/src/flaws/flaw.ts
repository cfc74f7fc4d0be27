import type { AttestationErrorCode, PolicyErrorCode } from '@nitro-enclaves/attestation';
import type { AttestationDocumentRequest, DocumentAlterations } from '../pki/document.ts';

/** What a flaw does on the way to a document. */
export interface FlawedIssue {
  /** Asks for another document than the caller did. */
  readonly request?: (request: AttestationDocumentRequest) => AttestationDocumentRequest;
  /** Makes it wrong in one place and right everywhere else. */
  readonly alterations?: DocumentAlterations;
  /** Another PKI altogether: its seed. */
  readonly foreignSeed?: string;
  /** Another region of the same PKI. */
  readonly region?: string;
}

/** One way in which a document can be wrong while all else about it is right. */
export interface Flaw {
  /** What is wrong, as a sentence. */
  readonly breaks: string;
  /** The code with which `@nitro-enclaves/attestation` refuses it; a policy's code only when the policy asks for that. */
  readonly code: AttestationErrorCode | PolicyErrorCode;
  readonly issue: FlawedIssue;
}

/** A flaw in the finished document's alterations. */
export function flaw(breaks: string, code: Flaw['code'], alterations: DocumentAlterations): Flaw {
  return { breaks, code, issue: { alterations } };
}
