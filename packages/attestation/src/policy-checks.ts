import { constantTimeEqual, encodeHex } from '@nitro-enclaves/core';
import type { PathLink } from './certificate-path.ts';
import type { Checklist, CheckName } from './checks.ts';
import type { CompiledFreshness, CompiledImage, CompiledPolicy, PolicyDigests } from './compiled-policy.ts';
import type { AttestationDocument } from './document.ts';
import type { PolicyErrorCode } from './error.ts';
import { refuseByPolicy as refuse } from './error.ts';
import type { RevokedCertificate } from './policy.ts';
import { allowDebugMode, allowKmsRecipientDocument } from './policy.ts';
import type { PolicyPcrs } from './policy-values.ts';
import { ZERO_PCR } from './preimage.ts';

/** What the policy checks judge, a document whose signatures all hold, and by what. */
export interface Evidence {
  readonly document: AttestationDocument;
  readonly links: readonly PathLink[];
  /** The one reading of the clock, in ms since the epoch. */
  readonly now: number;
  readonly policy: CompiledPolicy;
  readonly digests: PolicyDigests;
}

/** Makes a check unless what it is held to is not asked for. */
type Ask = <Asked>(check: CheckName, asked: Asked | false | undefined, judge: (asked: Asked) => void) => void;

function expectSame(code: PolicyErrorCode, path: string, expected: unknown, found: unknown): void {
  if (expected !== found) refuse(code, path, `${expected}`, `${found}`);
}

function expectAtMost(code: PolicyErrorCode, limit: string, found: number, most: number): void {
  if (found > most) refuse(code, '$.timestamp', `at most ${limit}`, found);
}

/** In constant time: what the document is bound to may be a secret of the caller's until it is found. */
function expectBytes(code: PolicyErrorCode, path: string, expected: Uint8Array, found: Uint8Array | null): void {
  if (found !== null && constantTimeEqual(found, expected)) return;
  refuse(code, path, `the ${expected.length} bytes of the policy`, found === null ? 'none' : 'others');
}

/**
 * PCR0, PCR1 or PCR2 zero. Never "every PCR is zero", whatever the guide says: genuine debug documents have PCR3 and
 * PCR4, and that test would miss every one of them.
 */
export function isDebugMode({ kind, pcrs }: AttestationDocument): boolean {
  return kind === 'enclave' && [0, 1, 2].some((index) => (pcrs[index] ?? ZERO_PCR) === ZERO_PCR);
}

/** Iterates over the policy, not over the evidence: a PCR that the document leaves out is a failure. */
function differingPcr(expected: PolicyPcrs, { pcrs }: AttestationDocument): number | undefined {
  for (const [index, value] of expected) if (pcrs[index] !== value) return index;
  return undefined;
}

/** The image that a document matches. Each release whole: PCR0 of one with PCR2 of another is one that nobody released. */
export function matchingImage(
  images: readonly CompiledImage[] | undefined,
  document: AttestationDocument,
): CompiledImage | undefined {
  return images?.find(({ pcrs }) => differingPcr(pcrs, document) === undefined);
}

/** The region in the common name of the regional authority, `<16 hex>.<region>.aws.nitro-enclaves`. */
export function regionOf(links: readonly PathLink[]): string | null {
  const commonName = links[1]?.own.commonName;
  return commonName?.match(/^\w{16}\.([\w-]+)\.[\w-]+\.nitro-enclaves$/)?.[1] ?? null;
}

/** A SubjectPublicKeyInfo of rsaEncryption (RFC 3279 §2.3.1) in hexadecimal, whatever the forms of its two lengths. */
const RSA_PUBLIC_KEY = /^30\w{2,10}30\w{2,10}06092a864886f70d010101/;

/** A field that is not understood may change what the others mean. */
function checkUnknownFields({ unknownFields: [first] }: AttestationDocument): void {
  if (first) refuse('UNKNOWN_FIELD', '$', 'no unknown field', JSON.stringify(first.name.slice(0, 64)));
}

/** By issuer and serial number, on every level, also of certificates that are remembered. */
function checkRevocation(revoked: readonly RevokedCertificate[], links: readonly PathLink[]): void {
  for (const { own, path } of links) {
    const { issuer, serialNumber } = own.description;
    if (revoked.some((entry) => entry.serialNumber === serialNumber && entry.issuer === issuer)) {
      refuse('REVOKED', path, 'no revoked certificate', serialNumber);
    }
  }
}

/** In debug mode the console and the memory of the enclave are open to the parent. */
function checkDebugMode(isDebug: boolean, isAllowed: boolean | undefined): void {
  if (!isDebug || isAllowed) return;
  refuse('DEBUG_MODE', '$.pcrs', 'PCR0, PCR1 and PCR2', 'zeros, as in debug mode');
}

/** Any other image is a program that nobody here has read. */
function checkImage(images: readonly CompiledImage[], document: AttestationDocument): void {
  if (matchingImage(images, document)) return;
  const [index = 0] = images.map(({ pcrs }) => differingPcr(pcrs, document));
  refuse(
    'IMAGE_MISMATCH',
    '$.pcrs',
    `all PCRs of one of ${images.length} images`,
    `PCR${index} ${document.pcrs[index]}`,
  );
}

/** Registers that are the same for every image: the signer's, the role's, the application's own. */
function checkPcrs(expected: PolicyPcrs, document: AttestationDocument): void {
  const index = differingPcr(expected, document);
  if (index === undefined) return;
  const found = document.pcrs[index];
  const code = found === undefined ? 'PCR_MISSING' : 'PCR_MISMATCH';
  refuse(code, `$.pcrs[${index}]`, `${expected.get(index)}`, found ?? 'none');
}

/** Without a challenge, with another one's answer, or of any age, a captured document passes for a new one. */
function checkFreshness(freshness: CompiledFreshness, { nonce, timestamp }: AttestationDocument, now: number): void {
  if ('nonce' in freshness) {
    expectBytes(nonce ? 'NONCE_MISMATCH' : 'NONCE_MISSING', '$.nonce', freshness.nonce, nonce);
  } else {
    expectAtMost('TOO_OLD', `${freshness.maxAge} ms of age`, now - timestamp, freshness.maxAge);
  }
}

/**
 * One made for a KMS call carries an RSA key and nothing else; the parent sees it, and could present it elsewhere. User data
 * or a nonce of no bytes are nothing, too.
 */
function checkPurpose({ publicKey, userData, nonce }: AttestationDocument): void {
  if (!publicKey || userData?.length || nonce?.length || !RSA_PUBLIC_KEY.test(encodeHex(publicKey))) return;
  refuse('KMS_RECIPIENT_DOCUMENT', '$.public_key', 'no document for KMS');
}

/** Judges a document whose signatures all hold by what the caller asked for (verifier checks, policy). */
export function judge(
  { document, links, now, policy, digests: { instanceId, roleArn, binding } }: Evidence,
  checklist: Checklist,
): void {
  const ask: Ask = (check, asked, body) => {
    if (asked !== undefined && asked !== false) checklist.judge(check, () => body(asked));
  };
  const { pcrs, publicKey, userData } = document;
  const { revoked = [], freshness } = policy;
  const isDebug = isDebugMode(document);

  // What the document is, and who signed it.
  ask('kind', policy.kind, (kind) => expectSame('KIND_MISMATCH', '$', kind, document.kind));
  ask('unknown-fields', policy.refuseUnknownFields, () => checkUnknownFields(document));
  ask('revocation', revoked.length > 0, () => checkRevocation(revoked, links));

  // What was measured.
  ask('debug-mode', document.kind === 'enclave', () => checkDebugMode(isDebug, policy[allowDebugMode]));
  ask('image', !isDebug && policy.images, (images) => checkImage(images, document));
  ask('pcrs', policy.pcrs, (expected) => checkPcrs(expected, document));
  // A register that is not locked can be extended after the document was made.
  ask('locked-pcrs', policy.allPcrsLocked, () =>
    expectSame('PCRS_NOT_ALL_LOCKED', '$.pcrs', 32, Object.keys(pcrs).length),
  );
  // PCR4 and PCR3: the same image on a stranger's instance, or under a stranger's role, is not ours.
  ask('instance', instanceId, (digest) => expectSame('INSTANCE_MISMATCH', '$.pcrs[4]', encodeHex(digest), pcrs[4]));
  ask('role', roleArn, (digest) => expectSame('ROLE_MISMATCH', '$.pcrs[3]', encodeHex(digest), pcrs[3]));

  // Where and when it was made. Where the enclave runs decides whose law and whose operators it is under.
  ask('region', policy.regions, (regions) => {
    const region = regionOf(links);
    if (!regions.includes(region ?? '')) refuse('REGION_MISMATCH', '$.cabundle[1]', `${regions}`, region);
  });
  // A document from the future outlives every greatest age.
  ask('timestamp', policy.clockSkew, (skew) =>
    expectAtMost('FROM_THE_FUTURE', `${skew} ms ahead`, document.timestamp - now, skew),
  );
  ask('freshness', freshness !== 'nonce' && freshness, (rule) => checkFreshness(rule, document, now));

  // What it is bound to: without it, a genuine document of another enclave, or of another use, would do.
  ask('public-key', policy.publicKey, (expected) =>
    expectBytes('PUBLIC_KEY_MISMATCH', '$.public_key', expected, publicKey),
  );
  ask('user-data', policy.userData, (expected) => expectBytes('USER_DATA_MISMATCH', '$.user_data', expected, userData));
  ask('binding', binding, (expected) => expectBytes('BINDING_MISMATCH', '$.user_data', expected, userData));
  ask('purpose', !policy[allowKmsRecipientDocument] && !policy.publicKey, () => checkPurpose(document));
}
