import type { ChainCertificate } from './certificate-path.ts';
import type { CheckName } from './checks.ts';
import type { AttestationDocument } from './document.ts';
import type { Evidence } from './policy-checks.ts';
import { isDebugMode, matchingImage, regionOf } from './policy-checks.ts';

/** A document that was decoded and nothing else: whoever sent it may have made it up. */
export interface UnverifiedAttestationDocument extends AttestationDocument {
  readonly trust: 'none';
}

/** The image of the policy that a document matched. */
export interface MatchedImage {
  readonly index: number;
  readonly name: string | null;
}

/** What is known of a document whose signatures hold. */
export interface TrustedFields extends AttestationDocument {
  /** When the verification took place, in ms since the epoch: the one reading of the clock. */
  readonly verifiedAt: number;
  /** Whether PCR0, PCR1 or PCR2 is zero. Only ever true when the policy allowed it by name. */
  readonly debugMode: boolean;
  /** The image that matched; `null` when the policy allowed any, or the enclave is in debug mode. */
  readonly image: MatchedImage | null;
  /** The parent's instance id out of the module id; `null` when it has another form. Informative. */
  readonly instanceId: string | null;
  /** The region whose authority signed; `null` when the certificates name none. */
  readonly region: string | null;
  /** The certificates, root first, leaf last. */
  readonly chain: readonly ChainCertificate[];
  /** The policy's `id`. */
  readonly policyId: string | null;
  /** Whether the trust anchor was the caller's own instead of AWS's. */
  readonly isCustomTrustAnchor: boolean;
  /** The checks that were made, all passed. */
  readonly checks: readonly CheckName[];
}

/** A genuine document that is what the policy asked for, now. */
export interface VerifiedAttestationDocument extends TrustedFields {
  readonly trust: 'verified';
}

/** A document that was genuine, and what the policy asked for, at its own timestamp. Says nothing about now. */
export interface ArchivedAttestationDocument extends TrustedFields {
  readonly trust: 'archived';
}

const INSTANCE_ID = /^(i-[0-9a-f]+)-(enc|tpm)[0-9a-f]+$/;

/** The frozen fields of a verified document, whatever the evaluation time. */
export function describeVerified<Trust extends 'verified' | 'archived'>(
  trust: Trust,
  { document, links, now, policy }: Evidence,
  checks: readonly CheckName[],
): TrustedFields & { readonly trust: Trust } {
  const { images = [], id = null, trustAnchor } = policy;
  const debugMode = isDebugMode(document);
  const image = debugMode ? undefined : matchingImage(images, document);
  return Object.freeze({
    trust,
    verifiedAt: now,
    debugMode,
    image: image ? Object.freeze({ index: images.indexOf(image), name: image.name ?? null }) : null,
    instanceId: document.moduleId.match(INSTANCE_ID)?.[1] ?? null,
    region: regionOf(links),
    chain: Object.freeze(links.map(({ own }) => own.description)),
    policyId: id,
    isCustomTrustAnchor: trustAnchor !== undefined,
    checks: Object.freeze(checks),
    // Last: Node 20 takes a hundred times as long to put more fields behind those of a spread object.
    ...document,
  });
}
