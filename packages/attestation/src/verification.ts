import { bytesEqual, sigStructure } from '@nitro-enclaves/core';
import type { PathCertificate, PathLink } from './certificate-path.ts';
import {
  checkConstraints,
  checkCriticalExtensions,
  checkIssuer,
  checkKeyUsage,
  checkValidity,
  readPathCertificate,
} from './certificate-path.ts';
import type { Checklist, CheckName } from './checks.ts';
import type { CompiledPolicy, PolicyDigests } from './compiled-policy.ts';
import type { AttestationDocument } from './document.ts';
import { readDocument } from './document.ts';
import type { Envelope } from './envelope.ts';
import { openEnvelope } from './envelope.ts';
import { refuse } from './error.ts';
import type { LinkCache, VerifiedLink } from './link-cache.ts';
import { isSignatureInRange, P384_SIGNATURE_BYTES, SIGNATURE_RANGE } from './p384.ts';
import type { PolicyFindings } from './policy-checks.ts';
import { judge } from './policy-checks.ts';

/** When a document is judged: by this machine's clock, or by the document's own timestamp. */
export type EvaluationTime = { readonly at: number } | { readonly at: 'timestamp' };

/** A signature that has to be verified, and by which certificate's key. */
export interface PendingSignature {
  readonly check: 'certificate-signatures' | 'signature';
  readonly path: string;
  /** Place in the path of the certificate whose key must have made it. */
  readonly signer: number;
  /** That certificate's key, an uncompressed point. */
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
}

/** A document that passed every check but those that need a key. */
export interface PreparedVerification {
  readonly document: AttestationDocument;
  readonly links: readonly PathLink[];
  /** The verified links that the cache knew, from the root down. */
  readonly known: readonly VerifiedLink[];
  /** First the certificates' from the root down, then the document's. */
  readonly pending: readonly PendingSignature[];
  readonly now: number;
}

/** The trust anchor and what was verified below it. */
export interface PathTrust {
  readonly policy: CompiledPolicy;
  readonly cache: LinkCache;
}

/** The root is never taken from the document: whoever sends the document could send a root of their own. */
function checkTrustAnchor(
  { caBundle }: AttestationDocument,
  { trustAnchor, isCustomTrustAnchor }: CompiledPolicy,
): void {
  const [root] = caBundle;
  if (root !== undefined && bytesEqual(root, trustAnchor.certificate.encoded)) return;
  const expected = isCustomTrustAnchor ? 'the custom trust anchor' : 'AWS Nitro Enclaves Root-G1';
  refuse('TRUST_ANCHOR', '$.cabundle[0]', expected, 'another certificate');
}

/** The certificates in their fixed order, root first: no search for a path, which a sender could steer. */
function encodedPath({ caBundle, certificate }: AttestationDocument): { encoded: Uint8Array; path: string }[] {
  const authorities = caBundle.map((encoded, index) => ({ encoded, path: `$.cabundle[${index}]` }));
  return [...authorities, { encoded: certificate, path: '$.certificate' }];
}

/** Links that are known already, from the root down to the first that is not. */
function knownLinks(encoded: readonly Uint8Array[], cache: LinkCache): VerifiedLink[] {
  const known: VerifiedLink[] = [];
  for (const certificate of encoded) {
    const link = cache.get(certificate, known.at(-1)?.id ?? 0);
    if (link === undefined) break;
    known.push(link);
  }
  return known;
}

/** The trust anchor was read with the policy, and known links when they were verified: only the others are read. */
function readLinks(document: AttestationDocument, known: readonly VerifiedLink[], anchor: PathCertificate): PathLink[] {
  const certificates = encodedPath(document);
  const owns = certificates.map(({ encoded, path }, index) => {
    const isAnchor = index === 0 && bytesEqual(encoded, anchor.certificate.encoded);
    return known[index]?.own ?? (isAnchor ? anchor : readPathCertificate(encoded, path));
  });
  const leaf = owns.length - 1;
  return owns.map((own, index) => ({
    own,
    path: certificates[index]?.path ?? '$',
    issuer: owns[index - 1],
    authoritiesBelow: Math.max(leaf - index - 1, 0),
    isLeaf: index === leaf,
  }));
}

/** attestation_process.md §3.2.3, RFC 5280 §6.1, each rule over the whole path. */
function checkPath(links: readonly PathLink[], now: number, checklist: Checklist): void {
  const judgeEach = (check: CheckName, rule: (link: PathLink) => void): void =>
    checklist.judge(check, () => {
      for (const link of links) rule(link);
    });
  judgeEach('certificate-names', checkIssuer);
  judgeEach('certificate-constraints', checkConstraints);
  judgeEach('key-usage', checkKeyUsage);
  judgeEach('critical-extensions', checkCriticalExtensions);
  judgeEach('validity', (link) => checkValidity(link, now));
}

/** The signatures that the cache does not vouch for; the root's own is no proof of anything, it is pinned by its bytes. */
function pendingSignatures({ message }: Envelope, links: readonly PathLink[], known: number): PendingSignature[] {
  const pending: PendingSignature[] = [];
  links.forEach(({ own, issuer, path }, index) => {
    if (issuer === undefined || index < known) return;
    const { publicKey } = issuer.certificate;
    const { signature } = own;
    pending.push({
      check: 'certificate-signatures',
      path,
      signer: index - 1,
      publicKey,
      message: own.certificate.tbs,
      signature,
    });
  });
  const signer = links.length - 1;
  const publicKey = links[signer]?.own.certificate.publicKey ?? new Uint8Array();
  const { signature } = message;
  pending.push({
    check: 'signature',
    path: '$.signature',
    signer,
    publicKey,
    message: sigStructure(message),
    signature,
  });
  return pending;
}

/** Not low-S: half of the genuine signatures are high. */
function checkSignatureForm({ message: { signature } }: Envelope): void {
  const path = '$.signature';
  if (signature.length !== P384_SIGNATURE_BYTES) {
    refuse('SIGNATURE_LENGTH', path, `${P384_SIGNATURE_BYTES} bytes`, signature.length);
  }
  if (!isSignatureInRange(signature)) refuse('SIGNATURE_RANGE', path, SIGNATURE_RANGE);
}

/** Steps 1 and 2: everything about a document that can be told without a key. */
export function prepare(
  input: Uint8Array,
  time: EvaluationTime,
  { trust, checklist }: { trust: PathTrust; checklist: Checklist },
): PreparedVerification {
  const envelope = openEnvelope(input, checklist);
  const document = checklist.require('fields', () => readDocument(envelope.payload));
  const now = time.at === 'timestamp' ? document.timestamp : time.at;
  checklist.judge('signature-form', () => checkSignatureForm(envelope));
  checklist.judge('trust-anchor', () => checkTrustAnchor(document, trust.policy));
  const known = knownLinks(
    encodedPath(document).map(({ encoded }) => encoded),
    trust.cache,
  );
  const links = checklist.require('certificates', () => readLinks(document, known, trust.policy.trustAnchor));
  checkPath(links, now, checklist);
  return { document, links, known, pending: pendingSignatures(envelope, links, known.length), now };
}

/** Step 3: throws for the first signature, from the root down, that does not hold. */
export function checkSignatures(
  { pending }: PreparedVerification,
  holds: readonly boolean[],
  checklist: Checklist,
): void {
  const failed = pending.find((_, index) => holds[index] !== true);
  checklist.judge('certificate-signatures', () => {
    if (failed?.check !== 'certificate-signatures') return;
    refuse('PATH_SIGNATURE', failed.path, 'a signature by the key of the certificate above');
  });
  checklist.judge('signature', () => {
    if (holds[pending.length - 1] === true) return;
    refuse('SIGNATURE', '$.signature', 'a signature by the key of the leaf certificate');
  });
}

/** Step 4: what the caller asked for. */
export function conclude(
  { document, links, now }: PreparedVerification,
  policy: CompiledPolicy,
  options: { checklist: Checklist; digests: PolicyDigests },
): PolicyFindings {
  return judge({ document, links, now }, policy, options);
}
