import type { AttestationPolicy, VerifiedAttestationDocument } from '@nitro-enclaves/attestation';
import {
  AttestationError,
  customTrustAnchor,
  PolicyError,
  verifyAttestationDocument,
} from '@nitro-enclaves/attestation';
import type { CheckOutcome } from '@nitro-enclaves/attestation/diagnosis';
import { diagnoseAttestationDocument } from '@nitro-enclaves/attestation/diagnosis';
import { readUserDataJson } from '@nitro-enclaves/attestation/user-data';
import { decodeHex } from '@nitro-enclaves/core';
import type { PageTrust } from './trust.ts';

/** What the page thinks of an answer. Of a refused one nothing is shown but why. */
export type Verdict =
  | {
      readonly kind: 'verified';
      readonly document: VerifiedAttestationDocument;
      readonly statement: unknown;
      readonly outcomes: readonly CheckOutcome[];
    }
  | {
      readonly kind: 'refused';
      readonly code: string;
      readonly message: string;
      readonly outcomes: readonly CheckOutcome[];
    };

/** Verifies an answer to the challenge `nonce`, in this browser, with nobody's help. */
export async function judge(
  answer: Uint8Array,
  nonce: Uint8Array,
  { images, emulatorRoot }: Pick<PageTrust, 'images' | 'emulatorRoot'>,
): Promise<Verdict> {
  const policy: AttestationPolicy = {
    images,
    freshness: { nonce },
    ...(emulatorRoot !== undefined && { [customTrustAnchor]: decodeHex(emulatorRoot) }),
  };
  // One reading of the clock: the report must not judge by another time than the verification.
  const now = Date.now();
  const outcomes = await diagnoseAttestationDocument(answer, policy, { now });
  try {
    const document = await verifyAttestationDocument(answer, policy, { now });
    return { kind: 'verified', document, statement: readUserDataJson(document), outcomes };
  } catch (error) {
    if (!(error instanceof AttestationError || error instanceof PolicyError)) throw error;
    return { kind: 'refused', code: error.code, message: error.message, outcomes };
  }
}
