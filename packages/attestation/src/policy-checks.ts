import { constantTimeEqual, DER_TAG, DerError, DerReader, encodeHex } from '@nitro-enclaves/core';
import type { PathLink } from './certificate-path.ts';
import type { Checklist, CheckName } from './checks.ts';
import type { CompiledImage, CompiledPolicy, PolicyDigests } from './compiled-policy.ts';
import type { AttestationDocument } from './document.ts';
import type { PolicyErrorCode } from './error.ts';
import { refuseByPolicy as refuse } from './error.ts';
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

/** One rule of a policy: makes its check if the policy asks for it. */
type Rule = (evidence: Evidence, checklist: Checklist) => void;

/** A rule that is asked for by a value, which is what `judge` holds the evidence to. */
function rule<Asked>(
  check: CheckName,
  asked: (evidence: Evidence) => Asked | false | undefined,
  judge: (asked: Asked, evidence: Evidence) => void,
): Rule {
  return (evidence, checklist) => {
    const value = asked(evidence);
    if (value !== undefined && value !== false) checklist.judge(check, () => judge(value, evidence));
  };
}

function expectSame(code: PolicyErrorCode, path: string, expected: unknown, found: unknown): void {
  if (expected !== found) refuse(code, path, `${expected}`, `${found}`);
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
  return commonName?.match(/^[0-9a-f]{16}\.([a-z0-9-]+)\.[a-z0-9-]+\.nitro-enclaves$/)?.[1] ?? null;
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

const RULES: readonly Rule[] = [
  rule(
    'kind',
    ({ policy }) => policy.kind,
    (kind, { document }) => expectSame('KIND_MISMATCH', '$', kind, document.kind),
  ),
  // A field that is not understood may change what the others mean.
  rule(
    'unknown-fields',
    ({ policy }) => policy.refuseUnknownFields,
    (_, { document: { unknownFields } }) => {
      const [first] = unknownFields;
      if (first) refuse('UNKNOWN_FIELD', '$', 'no unknown field', JSON.stringify(first.name.slice(0, 64)));
    },
  ),
  // By issuer and serial number, on every level, also of certificates that are remembered.
  rule(
    'revocation',
    ({ policy: { revoked } }) => revoked && revoked.length > 0 && revoked,
    (revoked, { links }) => {
      for (const { own, path } of links) {
        const { issuer, serialNumber } = own.description;
        if (revoked.some((entry) => entry.serialNumber === serialNumber && entry.issuer === issuer)) {
          refuse('REVOKED', path, 'no certificate of the deny-list', serialNumber);
        }
      }
    },
  ),
  // In debug mode the console and the memory of the enclave are open to the parent.
  rule(
    'debug-mode',
    ({ document }) => document,
    (document, { policy }) => {
      if (!isDebugMode(document) || policy[allowDebugMode]) return;
      refuse('DEBUG_MODE', '$.pcrs', 'PCR0, PCR1 and PCR2', 'zeros: in debug mode the parent reads the console');
    },
  ),
  // Any other image is a program that nobody here has read.
  rule(
    'image',
    ({ policy, document }) => !isDebugMode(document) && policy.images,
    (images, { document }) => {
      const [first] = images;
      if (!first || matchingImage(images, document)) return;
      const index = differingPcr(first.pcrs, document) ?? 0;
      const expected = `all PCRs of one of ${images.length} images`;
      refuse('IMAGE_MISMATCH', '$.pcrs', expected, `PCR${index} ${document.pcrs[index]}`);
    },
  ),
  // Registers that are the same for every image: the signer's, the role's, the application's own.
  rule(
    'pcrs',
    ({ policy }) => policy.pcrs,
    (expected, { document }) => {
      const index = differingPcr(expected, document);
      if (index === undefined) return;
      const found = document.pcrs[index];
      const path = `$.pcrs[${index}]`;
      if (found === undefined) refuse('PCR_MISSING', path, 'a value: only locked PCRs are listed');
      refuse('PCR_MISMATCH', path, `${expected.get(index)}`, found);
    },
  ),
  // A register that is not locked can be extended after the document was made.
  rule(
    'locked-pcrs',
    ({ policy }) => policy.allPcrsLocked,
    (_, { document: { pcrs } }) => expectSame('PCRS_NOT_ALL_LOCKED', '$.pcrs', 32, Object.keys(pcrs).length),
  ),
  // PCR4 and PCR3: the same image on a stranger's instance, or under a stranger's role, is not ours.
  rule(
    'instance',
    ({ digests }) => digests.get('instanceId'),
    (digest, { document: { pcrs } }) => expectSame('INSTANCE_MISMATCH', '$.pcrs[4]', encodeHex(digest), pcrs[4]),
  ),
  rule(
    'role',
    ({ digests }) => digests.get('roleArn'),
    (digest, { document: { pcrs } }) => expectSame('ROLE_MISMATCH', '$.pcrs[3]', encodeHex(digest), pcrs[3]),
  ),
  // Where the enclave runs decides whose law and whose operators it is under.
  rule(
    'region',
    ({ policy }) => policy.regions,
    (regions, { links }) => {
      const region = regionOf(links);
      if (!regions.includes(region ?? '')) refuse('REGION_MISMATCH', '$.cabundle[1]', `${regions}`, region);
    },
  ),
  // A document from the future outlives every greatest age.
  rule(
    'timestamp',
    ({ policy }) => policy.clockSkew,
    (clockSkew, { document: { timestamp }, now }) => {
      const ahead = timestamp - now;
      if (ahead > clockSkew) refuse('FROM_THE_FUTURE', '$.timestamp', `at most ${clockSkew} ms ahead`, ahead);
    },
  ),
  // Without a challenge, with another one's answer, or of any age, a captured document passes for a new one.
  rule(
    'freshness',
    ({ policy: { freshness } }) => freshness !== 'nonce' && freshness,
    (freshness, { document: { nonce, timestamp }, now }) => {
      if ('nonce' in freshness) {
        expectBytes(nonce ? 'NONCE_MISMATCH' : 'NONCE_MISSING', '$.nonce', freshness.nonce, nonce);
      } else if (now - timestamp > freshness.maxAge) {
        refuse('TOO_OLD', '$.timestamp', `at most ${freshness.maxAge} ms of age`, now - timestamp);
      }
    },
  ),
  // What a genuine document of someone else's enclave, or of another use of ours, is not bound to.
  rule(
    'public-key',
    ({ policy }) => policy.publicKey,
    (expected, { document }) => expectBytes('PUBLIC_KEY_MISMATCH', '$.public_key', expected, document.publicKey),
  ),
  rule(
    'user-data',
    ({ policy }) => policy.userData,
    (expected, { document }) => expectBytes('USER_DATA_MISMATCH', '$.user_data', expected, document.userData),
  ),
  rule(
    'binding',
    ({ digests }) => digests.get('binding'),
    (expected, { document }) => expectBytes('BINDING_MISMATCH', '$.user_data', expected, document.userData),
  ),
  // One made for a KMS call carries an RSA key and nothing else; the parent sees it, and could present it elsewhere.
  rule(
    'purpose',
    ({ policy }) => !policy[allowKmsRecipientDocument] && !policy.publicKey,
    (_, { document: { publicKey, userData, nonce } }) => {
      if (!publicKey || userData || nonce || !isRsaPublicKey(publicKey)) return;
      refuse('KMS_RECIPIENT_DOCUMENT', '$.public_key', 'none made for KMS: pin publicKey, or use a nonce');
    },
  ),
];

/** Judges a document whose signatures all hold by what the caller asked for (verifier checks, policy). */
export function judge(evidence: Evidence, checklist: Checklist): void {
  for (const apply of RULES) apply(evidence, checklist);
}
