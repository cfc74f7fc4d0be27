import { constantTimeEqual, DER_TAG, DerError, DerReader, encodeHex, explain } from '@nitro-enclaves/core';
import type { PathLink } from './certificate-path.ts';
import type { Checklist } from './checks.ts';
import type { CompiledFreshness, CompiledImage, CompiledPolicy, PolicyDigests } from './compiled-policy.ts';
import type { AttestationDocument } from './document.ts';
import type { PolicyErrorCode } from './error.ts';
import { PolicyError } from './error.ts';
import { ZERO_PCR } from './preimage.ts';

/** What the policy checks judge: a document whose signatures all hold. */
export interface Evidence {
  readonly document: AttestationDocument;
  readonly links: readonly PathLink[];
  /** The one reading of the clock, in ms since the epoch. */
  readonly now: number;
}

/** What the policy checks found. */
export interface PolicyFindings {
  readonly debugMode: boolean;
  /** The image that matched; `null` when any was allowed. */
  readonly image: CompiledImage | null;
}

function refuse(code: PolicyErrorCode, path: string, expected: string, found?: unknown): never {
  throw new PolicyError(code, explain(path, expected, found), { path });
}

/**
 * PCR0, PCR1 or PCR2 zero. Never "every PCR is zero", whatever the guide says: genuine debug documents have PCR3 and
 * PCR4, and that test would miss every one of them.
 */
export function isDebugMode({ kind, pcrs }: AttestationDocument): boolean {
  return kind === 'enclave' && [0, 1, 2].some((index) => (pcrs[index] ?? ZERO_PCR) === ZERO_PCR);
}

/** Iterates over the policy, not over the evidence: a PCR that the document leaves out is a failure. */
function differingPcr(expected: ReadonlyMap<number, string>, { pcrs }: AttestationDocument): number | undefined {
  for (const [index, value] of expected) if (pcrs[index] !== value) return index;
  return undefined;
}

/** Each release whole: PCR0 of one with PCR2 of another is an image that nobody released. */
function checkImage(document: AttestationDocument, images: readonly CompiledImage[]): CompiledImage {
  const differing = images.map(({ pcrs }) => differingPcr(pcrs, document));
  const match = images[differing.indexOf(undefined)];
  if (match !== undefined) return match;
  const index = differing[0] ?? 0;
  return refuse(
    'IMAGE_MISMATCH',
    '$.pcrs',
    `all PCRs of one of ${images.length} images`,
    `PCR${index} ${document.pcrs[index]}`,
  );
}

/** Registers that are the same for every image: the signer's, the role's, the application's own. */
function checkPcrs(document: AttestationDocument, expected: ReadonlyMap<number, string>): void {
  const index = differingPcr(expected, document);
  if (index === undefined) return;
  const found = document.pcrs[index];
  if (found === undefined) refuse('PCR_MISSING', `$.pcrs[${index}]`, 'a value: only locked PCRs are listed');
  refuse('PCR_MISMATCH', `$.pcrs[${index}]`, `${expected.get(index)}`, found);
}

/** A register that is not locked can be extended after the document was made. */
function checkAllPcrsLocked({ pcrs }: AttestationDocument): void {
  const count = Object.keys(pcrs).length;
  if (count !== 32) refuse('PCRS_NOT_ALL_LOCKED', '$.pcrs', 'all 32 PCRs', count);
}

/** PCR3 and PCR4: the same image on a stranger's instance, or under a stranger's role, is not ours. */
function checkMeasurement(
  { pcrs }: AttestationDocument,
  digest: Uint8Array,
  { index, code }: { index: number; code: PolicyErrorCode },
): void {
  const expected = encodeHex(digest);
  if (pcrs[index] !== expected) refuse(code, `$.pcrs[${index}]`, expected, `${pcrs[index]}`);
}

/** The region in the common name of the regional authority, `<16 hex>.<region>.aws.nitro-enclaves`. */
export function regionOf(links: readonly PathLink[]): string | null {
  const commonName = links[1]?.own.commonName;
  return commonName?.match(/^[0-9a-f]{16}\.([a-z0-9-]+)\.[a-z0-9-]+\.nitro-enclaves$/)?.[1] ?? null;
}

/** Where the enclave runs decides whose law and whose operators it is under. */
function checkRegion(links: readonly PathLink[], regions: readonly string[]): void {
  const region = regionOf(links);
  if (region === null || !regions.includes(region)) refuse('REGION_MISMATCH', '$.cabundle[1]', `${regions}`, region);
}

/** Without a challenge, or with another one's answer, a captured document passes for a new one. */
function checkNonce({ nonce }: AttestationDocument, expected: Uint8Array): void {
  if (nonce === null) refuse('NONCE_MISSING', '$.nonce', 'the nonce that was sent', 'none');
  if (!constantTimeEqual(nonce, expected)) refuse('NONCE_MISMATCH', '$.nonce', 'the nonce that was sent', 'another');
}

/** A document from the future outlives every greatest age. */
function checkNotFromTheFuture({ timestamp }: AttestationDocument, now: number, clockSkew: number): void {
  const ahead = timestamp - now;
  if (ahead > clockSkew) refuse('FROM_THE_FUTURE', '$.timestamp', `at most ${clockSkew} ms ahead of the clock`, ahead);
}

/** A bound on how long a captured document can be replayed. */
function checkAge({ timestamp }: AttestationDocument, now: number, maxAge: number): void {
  const age = now - timestamp;
  if (age > maxAge) refuse('TOO_OLD', '$.timestamp', `at most ${maxAge} ms of age`, age);
}

function checkFreshness({ document, now }: Evidence, freshness: CompiledFreshness): void {
  if (freshness.rule === 'nonce') checkNonce(document, freshness.nonce);
  else if (freshness.rule === 'age') checkAge(document, now, freshness.maxAge);
}

/** In constant time: what the document is bound to may be a secret of the caller's until it is found. */
function expectBytes(
  found: Uint8Array | null,
  expected: Uint8Array,
  { code, path }: { code: PolicyErrorCode; path: string },
): void {
  if (found !== null && constantTimeEqual(found, expected)) return;
  refuse(code, path, `the ${expected.length} bytes of the policy`, found === null ? 'none' : 'others');
}

/** rsaEncryption (RFC 3279 §2.3.1). */
const RSA_ENCRYPTION = '1.2.840.113549.1.1.1';

function isRsaPublicKey(encoded: Uint8Array): boolean {
  try {
    const outer = new DerReader(encoded);
    return outer.enter(DER_TAG.SEQUENCE).enter(DER_TAG.SEQUENCE).readObjectIdentifier() === RSA_ENCRYPTION;
  } catch (error) {
    if (error instanceof DerError) return false;
    throw error;
  }
}

/** A document made for a KMS call carries an RSA key and nothing else; the parent sees it, and could present it elsewhere. */
function checkPurpose({ publicKey, userData, nonce }: AttestationDocument): void {
  if (publicKey === null || userData !== null || nonce !== null || !isRsaPublicKey(publicKey)) return;
  refuse('KMS_RECIPIENT_DOCUMENT', '$.public_key', 'no document that was made for KMS: pin publicKey, or use a nonce');
}

/** By issuer and serial number, on every level, also of certificates that are remembered. */
function checkRevocation(links: readonly PathLink[], { revoked }: CompiledPolicy): void {
  for (const { own, path } of links) {
    const { issuer, serialNumber } = own.description;
    const isRevoked = revoked.some((entry) => entry.serialNumber === serialNumber && entry.issuer === issuer);
    if (isRevoked) refuse('REVOKED', path, 'no certificate of the deny-list', serialNumber);
  }
}

/** A field that is not understood may change what the others mean. */
function checkUnknownFields({ unknownFields }: AttestationDocument): void {
  const [first] = unknownFields;
  if (first !== undefined) refuse('UNKNOWN_FIELD', '$', 'no unknown field', JSON.stringify(first.name.slice(0, 64)));
}

/** Whether the document is in debug mode, which must be allowed by name. */
function checkDebugMode(document: AttestationDocument, policy: CompiledPolicy): boolean {
  const debugMode = isDebugMode(document);
  if (debugMode && !policy.allowDebugMode) {
    refuse('DEBUG_MODE', '$.pcrs', 'PCR0, PCR1 and PCR2', 'zeros: in debug mode the parent reads the console');
  }
  return debugMode;
}

/** Judges a document whose signatures all hold by what the caller asked for (verifier checks, policy). */
export function judge(
  evidence: Evidence,
  policy: CompiledPolicy,
  { checklist, digests }: { checklist: Checklist; digests: PolicyDigests },
): PolicyFindings {
  const { document, links } = evidence;
  checklist.judge('kind', () => {
    if (document.kind !== policy.kind) refuse('KIND_MISMATCH', '$', policy.kind, document.kind);
  });
  if (policy.refuseUnknownFields) checklist.judge('unknown-fields', () => checkUnknownFields(document));
  if (policy.revoked.length > 0) checklist.judge('revocation', () => checkRevocation(links, policy));
  let debugMode = true;
  checklist.judge('debug-mode', () => {
    debugMode = checkDebugMode(document, policy);
  });
  let image: CompiledImage | null = null;
  const { images } = policy;
  if (images !== null && !debugMode) {
    checklist.judge('image', () => {
      image = checkImage(document, images);
    });
  }
  judgeRequirements(evidence, policy, { checklist, digests });
  return { debugMode, image };
}

function judgeRequirements(
  evidence: Evidence,
  policy: CompiledPolicy,
  { checklist, digests }: { checklist: Checklist; digests: PolicyDigests },
): void {
  const { document, links } = evidence;
  const { regions, publicKey, userData, freshness, clockSkew } = policy;
  const instanceId = digests.get('instanceId');
  const roleArn = digests.get('roleArn');
  const binding = digests.get('binding');
  if (policy.pcrs.size > 0) checklist.judge('pcrs', () => checkPcrs(document, policy.pcrs));
  if (policy.allPcrsLocked) checklist.judge('locked-pcrs', () => checkAllPcrsLocked(document));
  if (instanceId)
    checklist.judge('instance', () => checkMeasurement(document, instanceId, { index: 4, code: 'INSTANCE_MISMATCH' }));
  if (roleArn) checklist.judge('role', () => checkMeasurement(document, roleArn, { index: 3, code: 'ROLE_MISMATCH' }));
  if (regions) checklist.judge('region', () => checkRegion(links, regions));
  if (clockSkew !== null) {
    checklist.judge('timestamp', () => checkNotFromTheFuture(document, evidence.now, clockSkew));
  }
  if (freshness.rule !== 'any') checklist.judge('freshness', () => checkFreshness(evidence, freshness));
  if (publicKey)
    checklist.judge('public-key', () =>
      expectBytes(document.publicKey, publicKey, { code: 'PUBLIC_KEY_MISMATCH', path: '$.public_key' }),
    );
  if (userData)
    checklist.judge('user-data', () =>
      expectBytes(document.userData, userData, { code: 'USER_DATA_MISMATCH', path: '$.user_data' }),
    );
  if (binding)
    checklist.judge('binding', () =>
      expectBytes(document.userData, binding, { code: 'BINDING_MISMATCH', path: '$.user_data' }),
    );
  if (!policy.allowKmsRecipientDocument && !publicKey) checklist.judge('purpose', () => checkPurpose(document));
}
