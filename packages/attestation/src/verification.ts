import type { CoseSign1 } from '@nitro-enclaves/core';
import { constantTimeEqual, sigStructure } from '@nitro-enclaves/core';
import type { PathCertificate, PathLink } from './certificate-path.ts';
import { PATH_RULES, readPathCertificate } from './certificate-path.ts';
import type { Checklist } from './checks.ts';
import type { CompiledPolicy } from './compiled-policy.ts';
import type { AttestationDocument } from './document.ts';
import { readDocument } from './document.ts';
import { openEnvelope } from './envelope.ts';
import { refuse } from './error.ts';
import type { LinkCache } from './link-cache.ts';
import { isSignatureInRange, P384_SIGNATURE_BYTES, SIGNATURE_RANGE } from './p384.ts';

/** What is to be verified, by what, and at what time. */
export interface VerificationRequest {
  readonly input: Uint8Array;
  /** The evaluation time, in ms since the epoch; `undefined` for the document's own timestamp. */
  readonly now: number | undefined;
  readonly policy: CompiledPolicy;
  readonly cache: LinkCache;
}

/** A signature that has to be verified. */
export interface PendingSignature {
  readonly path: string;
  /** The certificate whose key must have made it. */
  readonly signer: PathLink;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
}

/** A document whose form is right. */
export interface OpenedDocument {
  readonly message: CoseSign1;
  readonly document: AttestationDocument;
  /** The first certificate of its bundle, which is never empty. */
  readonly root: Uint8Array;
}

/** A document that passed every check but those that need a key. */
export interface PreparedVerification {
  readonly document: AttestationDocument;
  readonly links: readonly PathLink[];
  /** First the certificates' from the root down, then the document's. */
  readonly pending: readonly PendingSignature[];
  readonly now: number;
}

/** A root is never trusted for being in the document: whoever sends the document could send a root of their own. */
function checkTrustAnchor(trusted: PathCertificate | undefined): void {
  if (!trusted) refuse('TRUST_ANCHOR', '$.cabundle[0]', 'the trust anchor', 'another certificate');
}

/**
 * The certificates in their fixed order, root first: no search for a path, which a sender could steer. The trust anchor was
 * read with the policy, and known links when they were verified: only the others are read.
 */
function readLinks(
  { caBundle, certificate }: AttestationDocument,
  trusted: PathCertificate | undefined,
  cache: LinkCache,
): PathLink[] {
  const links: PathLink[] = [];
  let issuer: PathLink | undefined;
  for (const encoded of [...caBundle, certificate]) {
    const index = links.length;
    const path = encoded === certificate ? '$.certificate' : `$.cabundle[${index}]`;
    const issuerId = issuer ? issuer.id : 0;
    const known = issuerId === undefined ? undefined : cache.get(encoded, issuerId);
    const own = known?.own ?? (issuer ? undefined : trusted) ?? readPathCertificate(encoded, path);
    issuer = { own, path, issuer, authoritiesBelow: caBundle.length - index - 1, id: known?.id };
    links.push(issuer);
  }
  return links;
}

/** Not low-S: half of the genuine signatures are high. */
function checkSignatureForm({ signature }: CoseSign1): void {
  const path = '$.signature';
  if (signature.length !== P384_SIGNATURE_BYTES) {
    refuse('SIGNATURE_LENGTH', path, `${P384_SIGNATURE_BYTES} bytes`, signature.length);
  }
  if (!isSignatureInRange(signature)) refuse('SIGNATURE_RANGE', path, SIGNATURE_RANGE);
}

/** The signatures that the cache does not vouch for; the root's own is no proof of anything, it is pinned by its bytes. */
function pendingSignatures(message: CoseSign1, links: readonly PathLink[]): PendingSignature[] {
  const pending: PendingSignature[] = [];
  let leaf: PathLink | undefined;
  for (const link of links) {
    const { own, issuer, path, id } = link;
    if (issuer && id === undefined) {
      pending.push({ path, signer: issuer, message: own.certificate.tbs, signature: own.signature });
    }
    leaf = link;
  }
  if (leaf) {
    pending.push({ path: '$.signature', signer: leaf, message: sigStructure(message), signature: message.signature });
  }
  return pending;
}

/** Step 1: the form of a document and of its fields. */
export function open({ input }: VerificationRequest, checklist: Checklist): OpenedDocument {
  const { message, payload } = openEnvelope(input, checklist);
  const document = checklist.require('fields', () => readDocument(payload));
  checklist.judge('signature-form', () => checkSignatureForm(message));
  const [root = document.certificate] = document.caBundle;
  return { message, document, root };
}

/** Step 2: everything else about a document that can be told without a key. Without an anchor, its root is none. */
export function prepare(
  { message, document, root, anchor }: OpenedDocument & { readonly anchor: PathCertificate | undefined },
  { now = document.timestamp, cache }: VerificationRequest,
  checklist: Checklist,
): PreparedVerification {
  const trusted = anchor && constantTimeEqual(root, anchor.certificate.encoded) ? anchor : undefined;
  checklist.judge('trust-anchor', () => checkTrustAnchor(trusted));
  const links = checklist.require('certificates', () => readLinks(document, trusted, cache));
  for (const [check, rule] of PATH_RULES) {
    checklist.judge(check, () => {
      for (const link of links) rule(link, now);
    });
  }
  return { document, links, pending: pendingSignatures(message, links), now };
}

/** Step 3: throws for the first signature, from the root down, that does not hold. */
export function checkSignatures(
  { pending }: PreparedVerification,
  holds: readonly (boolean | undefined)[],
  checklist: Checklist,
): void {
  const own = pending.length - 1;
  const failed = pending.findIndex((_, index) => holds[index] !== true);
  checklist.judge('certificate-signatures', () => {
    const { path, signer } = pending[failed] ?? {};
    if (signer && holds[failed] === undefined) refuse('PATH_KEY_NOT_ON_CURVE', signer.path, 'a point on the curve');
    if (path && failed < own) refuse('PATH_SIGNATURE', path, 'a signature by the key of the certificate above');
  });
  checklist.judge('signature', () => {
    if (holds[own] !== true) refuse('SIGNATURE', '$.signature', 'a signature by the key of the leaf certificate');
  });
}
