import { copyBytes, explain } from '@nitro-enclaves/core';
import type { PathCertificate } from './certificate-path.ts';
import { LAST_MOMENT, readPathCertificate } from './certificate-path.ts';
import type { DocumentKind } from './document.ts';
import { PolicyConfigurationError } from './error.ts';
import type { Binding, RevokedCertificate } from './policy.ts';
import {
  allowAnyAge,
  allowAnyImage,
  allowDebugMode,
  allowKmsRecipientDocument,
  customTrustAnchor,
  DEFAULT_KIND,
} from './policy.ts';
import {
  BYTES,
  expectOnlyOptions,
  FLAG,
  isRecord,
  readDuration,
  readOption,
  readPcrValues,
  refusePolicy,
  TEXT,
} from './policy-values.ts';
import { BINDING_LABEL, purposePreimage, textPreimage } from './preimage.ts';
import { AWS_ROOT } from './trust-anchor.ts';

/** One allowed image with its PCRs in lower-case hexadecimal. */
export interface CompiledImage {
  readonly name: string | null;
  readonly index: number;
  readonly pcrs: ReadonlyMap<number, string>;
}

/** A freshness rule. */
export type CompiledFreshness =
  | { readonly rule: 'nonce'; readonly nonce: Uint8Array }
  | { readonly rule: 'age'; readonly maxAge: number }
  | { readonly rule: 'any' };

/** A freshness rule of a verifier: the nonce may come with each call. */
export type CompiledVerifierFreshness = CompiledFreshness | { readonly rule: 'nonce-per-call' };

/** A policy that was found complete, in the form that the checks use. */
export interface CompiledPolicy<Freshness extends CompiledVerifierFreshness = CompiledFreshness> {
  readonly id: string | null;
  readonly kind: DocumentKind;
  /** `null` when any image is allowed. */
  readonly images: readonly CompiledImage[] | null;
  readonly allowDebugMode: boolean;
  readonly freshness: Freshness;
  /** How far ahead of the clock a document may be, in ms; `null` when it is judged at its own timestamp. */
  readonly clockSkew: number | null;
  readonly pcrs: ReadonlyMap<number, string>;
  readonly allPcrsLocked: boolean;
  readonly regions: readonly string[] | undefined;
  readonly publicKey: Uint8Array | undefined;
  readonly userData: Uint8Array | undefined;
  readonly refuseUnknownFields: boolean;
  readonly revoked: readonly RevokedCertificate[];
  readonly allowKmsRecipientDocument: boolean;
  readonly trustAnchor: PathCertificate;
  readonly isCustomTrustAnchor: boolean;
  /** What has to be hashed with SHA-384 before the values can be compared. */
  readonly preimages: PolicyPreimages;
}

/** A rule whose value a policy gives as text or content: hashed with SHA-384 before it can be compared. */
export type HashedRule = 'instanceId' | 'roleArn' | 'binding';

/** What has to be hashed, by rule. */
export type PolicyPreimages = ReadonlyMap<HashedRule, Uint8Array>;

/** The digests of {@link PolicyPreimages}. */
export type PolicyDigests = ReadonlyMap<HashedRule, Uint8Array>;

const MIN_NONCE_BYTES = 16;
const MAX_NONCE_BYTES = 1024;
const DEFAULT_CLOCK_SKEW_MS = 60_000;

const OPTIONS: readonly PropertyKey[] = [
  ...['id', 'kind', 'images', 'pcrs', 'roleArn', 'instanceId', 'regions', 'allPcrsLocked', 'publicKey', 'userData'],
  ...['binding', 'refuseUnknownFields', 'revoked', allowKmsRecipientDocument, customTrustAnchor],
  ...[allowAnyImage, allowDebugMode],
];
const FRESHNESS_OPTIONS: readonly PropertyKey[] = ['freshness', allowAnyAge];

/** Register that an image rule must name: all that tells an image from another. */
const IMAGE_PCRS: Readonly<Record<DocumentKind, readonly number[]>> = { enclave: [0, 1, 2], nitrotpm: [4] };

type Options = Record<PropertyKey, unknown>;
type TimeRules = Pick<CompiledPolicy<CompiledVerifierFreshness>, 'freshness' | 'clockSkew'>;

function readKind(policy: Options): DocumentKind {
  const { kind = DEFAULT_KIND } = policy;
  return kind === 'enclave' || kind === 'nitrotpm'
    ? kind
    : refusePolicy('POLICY_OPTION_TYPE', '.kind', 'enclave or nitrotpm');
}

function isAllowed(policy: Options, option: symbol): boolean {
  return readOption(policy[option], `[${option.description}]`, FLAG) ?? false;
}

function readImage(image: unknown, index: number, kind: DocumentKind): CompiledImage {
  const path = `.images[${index}]`;
  if (!isRecord(image)) return refusePolicy('POLICY_OPTION_TYPE', path, '{ pcrs }');
  expectOnlyOptions(image, ['name', 'pcrs'], path);
  const pcrs = readPcrValues(image['pcrs'], `${path}.pcrs`, { allowZero: false });
  const missing = IMAGE_PCRS[kind].find((pcr) => !pcrs.has(pcr));
  if (missing !== undefined) refusePolicy('POLICY_IMAGE_PCRS', path, `all of PCR${IMAGE_PCRS[kind].join(', PCR')}`);
  return { name: readOption(image['name'], `${path}.name`, TEXT) ?? null, index, pcrs };
}

function readImages(policy: Options, kind: DocumentKind): readonly CompiledImage[] | null {
  const { images } = policy;
  if (isAllowed(policy, allowAnyImage)) {
    return images === undefined ? null : refusePolicy('POLICY_OPTION_TYPE', '.images', 'none beside allowAnyImage');
  }
  if (!Array.isArray(images) || images.length === 0) {
    return refusePolicy(
      'POLICY_IMAGE_MISSING',
      '.images',
      'at least one image: name the PCRs of the releases that you trust',
    );
  }
  return images.map((image, index) => readImage(image, index, kind));
}

/** Copies and checks a nonce. A short one can be guessed and asked for in advance. */
function readNonce(nonce: unknown, path: string): Uint8Array {
  if (nonce instanceof Uint8Array && nonce.length >= MIN_NONCE_BYTES && nonce.length <= MAX_NONCE_BYTES)
    return copyBytes(nonce);
  const found = nonce instanceof Uint8Array ? `${nonce.length} bytes` : typeof nonce;
  return refusePolicy('POLICY_NONCE_LENGTH', path, `${MIN_NONCE_BYTES} to ${MAX_NONCE_BYTES} random bytes`, found);
}

function readFreshnessObject(freshness: Options): TimeRules {
  const path = '.freshness';
  if ('nonce' in freshness) {
    expectOnlyOptions(freshness, ['nonce', 'clockSkew'], path);
    const nonce = readNonce(freshness['nonce'], `${path}.nonce`);
    const { clockSkew = DEFAULT_CLOCK_SKEW_MS } = freshness;
    return { freshness: { rule: 'nonce', nonce }, clockSkew: readDuration(clockSkew, `${path}.clockSkew`) };
  }
  expectOnlyOptions(freshness, ['maxAge', 'clockSkew'], path);
  const maxAge = readDuration(freshness['maxAge'], `${path}.maxAge`);
  return {
    freshness: { rule: 'age', maxAge },
    clockSkew: readDuration(freshness['clockSkew'], `${path}.clockSkew`),
  };
}

function readFreshness(policy: Options): TimeRules {
  const { freshness } = policy;
  if (isAllowed(policy, allowAnyAge)) {
    if (freshness !== undefined) refusePolicy('POLICY_OPTION_TYPE', '.freshness', 'none beside allowAnyAge');
    return { freshness: { rule: 'any' }, clockSkew: DEFAULT_CLOCK_SKEW_MS };
  }
  if (freshness === 'nonce') return { freshness: { rule: 'nonce-per-call' }, clockSkew: DEFAULT_CLOCK_SKEW_MS };
  if (isRecord(freshness)) return readFreshnessObject(freshness);
  return refusePolicy(
    'POLICY_FRESHNESS_MISSING',
    '.freshness',
    '{ nonce } or { maxAge, clockSkew }: without one, an old document can be replayed',
  );
}

function readRegions(regions: unknown): readonly string[] | undefined {
  if (regions === undefined) return undefined;
  if (Array.isArray(regions) && regions.length > 0 && regions.every(TEXT.is)) return [...regions];
  return refusePolicy('POLICY_OPTION_TYPE', '.regions', 'at least one region');
}

const REVOKED = '{ issuer: hexadecimal, serialNumber: hexadecimal }';
const BINDING = '{ purpose, content }';

function isHex(value: unknown): value is string {
  return typeof value === 'string' && /^([0-9a-fA-F]{2})+$/.test(value);
}

function readRevokedCertificate(entry: unknown, index: number): RevokedCertificate {
  const path = `.revoked[${index}]`;
  if (!isRecord(entry)) return refusePolicy('POLICY_OPTION_TYPE', path, REVOKED);
  expectOnlyOptions(entry, ['issuer', 'serialNumber'], path);
  const { issuer, serialNumber } = entry;
  if (isHex(issuer) && isHex(serialNumber)) {
    return { issuer: issuer.toLowerCase(), serialNumber: serialNumber.toLowerCase() };
  }
  return refusePolicy('POLICY_OPTION_TYPE', path, REVOKED);
}

function readRevoked(revoked: unknown): readonly RevokedCertificate[] {
  if (revoked === undefined) return [];
  return Array.isArray(revoked)
    ? revoked.map(readRevokedCertificate)
    : refusePolicy('POLICY_OPTION_TYPE', '.revoked', 'an array');
}

function readBinding(binding: unknown): Binding | undefined {
  if (binding === undefined) return undefined;
  if (!isRecord(binding)) return refusePolicy('POLICY_OPTION_TYPE', '.binding', BINDING);
  expectOnlyOptions(binding, ['purpose', 'content'], '.binding');
  const purpose = readOption(binding['purpose'], '.binding.purpose', TEXT);
  const content = readOption(binding['content'], '.binding.content', BYTES);
  if (purpose !== undefined && content !== undefined) return { purpose, content };
  return refusePolicy('POLICY_OPTION_TYPE', '.binding', BINDING);
}

function readPreimages(policy: Options): PolicyPreimages {
  const instanceId = readOption(policy['instanceId'], '.instanceId', TEXT);
  const roleArn = readOption(policy['roleArn'], '.roleArn', TEXT);
  const binding = readBinding(policy['binding']);
  const preimages = new Map<HashedRule, Uint8Array>();
  if (instanceId !== undefined) preimages.set('instanceId', textPreimage(instanceId));
  if (roleArn !== undefined) preimages.set('roleArn', textPreimage(roleArn));
  if (binding !== undefined) preimages.set('binding', purposePreimage(BINDING_LABEL, binding.purpose, binding.content));
  return preimages;
}

function readTrustAnchor(policy: Options): PathCertificate {
  const anchor = policy[customTrustAnchor];
  if (anchor === undefined) return AWS_ROOT;
  try {
    return readPathCertificate(anchor as Uint8Array, '$.cabundle[0]');
  } catch (cause) {
    const path = '[customTrustAnchor]';
    throw new PolicyConfigurationError('POLICY_TRUST_ANCHOR', explain(`policy ${path}`, 'a P-384 certificate in DER'), {
      cause,
      path,
    });
  }
}

/** A copy: the caller's later writes must not change what a document is held to. */
function readBytes(value: unknown, path: string): Uint8Array | undefined {
  const bytes = readOption(value, path, BYTES);
  return bytes === undefined ? undefined : copyBytes(bytes);
}

function compile(policy: Options): Omit<CompiledPolicy, keyof TimeRules> {
  const kind = readKind(policy);
  return {
    id: readOption(policy['id'], '.id', TEXT) ?? null,
    kind,
    images: readImages(policy, kind),
    allowDebugMode: isAllowed(policy, allowDebugMode),
    pcrs: policy['pcrs'] === undefined ? new Map() : readPcrValues(policy['pcrs'], '.pcrs', { allowZero: true }),
    allPcrsLocked: readOption(policy['allPcrsLocked'], '.allPcrsLocked', FLAG) ?? false,
    regions: readRegions(policy['regions']),
    publicKey: readBytes(policy['publicKey'], '.publicKey'),
    userData: readBytes(policy['userData'], '.userData'),
    refuseUnknownFields: readOption(policy['refuseUnknownFields'], '.refuseUnknownFields', FLAG) ?? false,
    revoked: readRevoked(policy['revoked']),
    allowKmsRecipientDocument: isAllowed(policy, allowKmsRecipientDocument),
    trustAnchor: readTrustAnchor(policy),
    isCustomTrustAnchor: policy[customTrustAnchor] !== undefined,
    preimages: readPreimages(policy),
  };
}

function expectPolicy(policy: unknown, allowed: readonly PropertyKey[]): Options {
  if (!isRecord(policy)) {
    const found = policy === null ? 'null' : typeof policy;
    return refusePolicy('POLICY_NOT_AN_OBJECT', '', 'an object that names an image and a freshness rule', found);
  }
  expectOnlyOptions(policy, allowed, '');
  return policy;
}

/** Checks that a policy is complete, and puts it in the form that the checks use. Wrong policies never verify anything. */
export function compilePolicy(policy: unknown): CompiledPolicy<CompiledVerifierFreshness> {
  const options = expectPolicy(policy, [...OPTIONS, ...FRESHNESS_OPTIONS]);
  return { ...compile(options), ...readFreshness(options) };
}

/** The same for archived documents: evidence of what was, so neither their age nor what they were made for counts. */
export function compileArchivePolicy(policy: unknown): CompiledPolicy {
  const rules = compile(expectPolicy(policy, OPTIONS));
  return { ...rules, freshness: { rule: 'any' }, clockSkew: null, allowKmsRecipientDocument: true };
}

/** The evaluation time of a call: the clock is read once, here, and never again. */
export function readEvaluationTime(now: unknown): number {
  if (now === undefined) return Date.now();
  if (typeof now === 'number' && now >= 0 && now <= LAST_MOMENT) return now;
  return refusePolicy('POLICY_EVALUATION_TIME', '.now', 'ms since the epoch');
}

/** The policy with the nonce of one call. */
export function withNonce(
  policy: CompiledPolicy<CompiledVerifierFreshness>,
  nonce: Uint8Array | undefined,
): CompiledPolicy {
  const { freshness } = policy;
  if (freshness.rule === 'nonce-per-call') {
    return { ...policy, freshness: { rule: 'nonce', nonce: readNonce(nonce, '.nonce') } };
  }
  if (nonce !== undefined) {
    refusePolicy('POLICY_OPTION_TYPE', '.nonce', 'none under this freshness rule');
  }
  return { ...policy, freshness };
}
