import { randomBytes } from 'node:crypto';
import {
  AttestationError,
  allowAnyImage,
  allowDebugMode,
  verifyAttestationDocument,
} from '@nitro-enclaves/attestation';
import { decodeCbor } from '@nitro-enclaves/core';
import type { Nsm, NsmDescription } from '@nitro-enclaves/nsm';

/** Who signs the module's documents. `nobody`: QEMU's module leaves them unsigned. */
export type DocumentSigner = 'aws' | 'nobody' | 'other';

/** What the NSM answered. */
export interface NsmFacts {
  readonly description: NsmDescription;
  readonly signer: DocumentSigner;
  /** Whether PCR0, PCR1 and PCR2 are zero, as in debug mode. */
  readonly debugMode: boolean;
  /** How far the clock of this machine is ahead of the document's, in ms. */
  readonly clockLead: number;
}

/** How long the module may take to answer, in ms: this command tells what is wrong, and does not hang on it. */
const NSM_TIMEOUT = 10_000;
const MAX_DOCUMENT_BYTES = 20_000;

/** The time that a document states, whoever signed it. */
function timestampOf(document: Uint8Array): number {
  const limits = { maxBytes: MAX_DOCUMENT_BYTES, rootTag: 18 };
  const envelope = decodeCbor(document, limits);
  const payload = Array.isArray(envelope) ? envelope[2] : undefined;
  const fields = payload instanceof Uint8Array ? decodeCbor(payload, limits) : undefined;
  const timestamp = fields instanceof Map ? fields.get('timestamp') : undefined;
  return typeof timestamp === 'number' ? timestamp : 0;
}

/** Judged at the document's own time: a wrong clock is another finding. */
async function signerOf(document: Uint8Array, nonce: Uint8Array, timestamp: number): Promise<DocumentSigner> {
  const policy = { [allowAnyImage]: true, [allowDebugMode]: true, freshness: { nonce } } as const;
  try {
    await verifyAttestationDocument(document, policy, { now: timestamp });
    return 'aws';
  } catch (error) {
    if (!(error instanceof AttestationError)) throw error;
    return error.code === 'PROTECTED_HEADER_ALGORITHM' ? 'nobody' : 'other';
  }
}

/** Asks the module who it is, and for a document. */
export async function askNsm(nsm: Nsm, signal: AbortSignal): Promise<NsmFacts> {
  const options = { signal, timeout: NSM_TIMEOUT };
  const description = await nsm.describeNsm(options);
  const measurements = await Promise.all([0, 1, 2].map((index) => nsm.describePcr(index, options)));
  const nonce = new Uint8Array(randomBytes(32));
  const document = await nsm.attestation({ nonce, ...options });
  const clockLead = Date.now() - timestampOf(document);
  return {
    description,
    signer: await signerOf(document, nonce, Date.now() - clockLead),
    debugMode: measurements.every(({ value }) => value.every((byte) => byte === 0)),
    clockLead,
  };
}
