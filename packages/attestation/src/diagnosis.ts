import type { Checklist, CheckName } from './checks.ts';
import { AttestationError, PolicyError } from './error.ts';
import type { ArchivePolicy, AttestationPolicy } from './policy.ts';
import { judge } from './policy-checks.ts';
import type { VerificationRequest } from './verification.ts';
import { checkSignatures } from './verification.ts';
import type { VerifyOptions } from './verifier.ts';
import { archiveRequest, createRequests } from './verifier.ts';
import { compute, openAndPrepare } from './verify.ts';
import { WEB_CRYPTO } from './web-crypto.ts';

/** The checks of a verification in their order, each with the sentence that a report shows. */
export const CHECKS: Readonly<Record<CheckName, string>> = {
  envelope: 'The document is one COSE_Sign1, strictly encoded, with nothing before or after it',
  'protected-header': 'The signed header names ES384 and nothing else',
  'unprotected-header': 'The header that no signature covers is empty',
  payload: 'The payload is one strictly encoded CBOR map',
  fields: 'Every mandatory field is there, every field has its type and length',
  'signature-form': 'The signature is two numbers of 48 bytes in the range of P-384',
  'trust-anchor': 'The chain begins with the pinned root certificate, byte for byte',
  certificates: 'Every certificate is a strictly encoded X.509 v3 certificate on P-384',
  'certificate-names': 'Every certificate names the one above it as its issuer',
  'certificate-constraints': 'Authorities are authorities, the leaf is none, and path lengths hold',
  'key-usage': 'Every key is used for what its certificate allows',
  'critical-extensions': 'No certificate has a critical extension that is unknown here',
  validity: 'Every certificate is valid at the evaluation time',
  'certificate-signatures': 'Every certificate is signed by the key of the one above it',
  signature: 'The document is signed by the key of its leaf certificate',
  kind: 'The document is of the kind that the policy states',
  'unknown-fields': 'The document has no field that is unknown here',
  revocation: 'No certificate of the chain is on the deny-list',
  'debug-mode': 'The enclave does not run in debug mode (PCR0, PCR1 and PCR2 are not zero)',
  image: 'The PCRs are all those of one allowed image',
  pcrs: 'Every other PCR that the policy names has its value',
  'locked-pcrs': 'All 32 PCRs are locked',
  instance: 'PCR4 is that of the stated parent instance',
  role: 'PCR3 is that of the stated IAM role',
  region: 'The chain is that of an allowed region',
  timestamp: 'The document is not from the future',
  freshness: 'The document answers the challenge, or is young enough',
  'public-key': 'The document carries the expected public key',
  'user-data': 'The document carries the expected user data',
  binding: 'The document is bound to the stated purpose and content',
  purpose: 'The document was not made for KMS',
};

/** How one check came out. `not-reached`: an earlier failure left nothing to check. */
export type CheckOutcome =
  | { readonly check: CheckName; readonly outcome: 'passed' | 'not-asked' | 'not-reached' }
  | { readonly check: CheckName; readonly outcome: 'failed'; readonly error: AttestationError | PolicyError };

/** Whether an error is the verdict of a check; anything else is a fault of the program, and thrown on. */
function isVerdict(error: unknown): error is AttestationError | PolicyError {
  return error instanceof AttestationError || error instanceof PolicyError;
}

/** Goes on after a failure where it can: the checklist of a diagnosis, which trusts nothing. */
class CollectingChecklist implements Checklist {
  readonly #outcomes = new Map<CheckName, CheckOutcome>();

  require<T>(check: CheckName, body: () => T): T {
    try {
      const value = body();
      this.#outcomes.set(check, { check, outcome: 'passed' });
      return value;
    } catch (error) {
      if (isVerdict(error)) this.#outcomes.set(check, { check, outcome: 'failed', error });
      throw error;
    }
  }

  judge(check: CheckName, body: () => void): void {
    try {
      this.require(check, body);
    } catch (error) {
      if (!isVerdict(error)) throw error;
    }
  }

  /** Every check in its order; those without an outcome are `absent`. */
  outcomes(absent: 'not-asked' | 'not-reached'): CheckOutcome[] {
    const names = Object.keys(CHECKS) as CheckName[];
    return names.map((check) => this.#outcomes.get(check) ?? { check, outcome: absent });
  }
}

async function runAllChecks(request: VerificationRequest, checklist: Checklist): Promise<void> {
  const prepared = await openAndPrepare(WEB_CRYPTO, request, checklist);
  const { holds, digests } = await compute(WEB_CRYPTO, prepared, request);
  checkSignatures(prepared, holds, checklist);
  judge({ ...prepared, policy: request.policy, digests }, checklist);
}

async function diagnose(request: VerificationRequest): Promise<readonly CheckOutcome[]> {
  const checklist = new CollectingChecklist();
  try {
    await runAllChecks(request, checklist);
  } catch (error) {
    if (!isVerdict(error)) throw error;
    return checklist.outcomes('not-reached');
  }
  return checklist.outcomes('not-asked');
}

/**
 * Makes every check of a verification, also after one that failed, and tells how each came out. For people and logs: a
 * document is only ever trusted through `verifyAttestationDocument`.
 * @throws {PolicyConfigurationError} when the policy is incomplete or wrong.
 */
export async function diagnoseAttestationDocument(
  document: Uint8Array,
  policy: AttestationPolicy,
  options?: VerifyOptions,
): Promise<readonly CheckOutcome[]> {
  return diagnose(createRequests({ policy, cacheSize: 0 })(document, options));
}

/**
 * {@link diagnoseAttestationDocument} of a document of an archive, at its own timestamp.
 * @throws {PolicyConfigurationError} when the policy is incomplete or wrong.
 */
export async function diagnoseArchivedAttestationDocument(
  document: Uint8Array,
  policy: ArchivePolicy,
): Promise<readonly CheckOutcome[]> {
  return diagnose(archiveRequest(document, policy));
}
