import type { PathCertificate } from './certificate-path.ts';
import { LAST_MOMENT, readPathCertificate } from './certificate-path.ts';
import type { DocumentKind } from './document.ts';
import { refusePolicy } from './error.ts';
import type { AgeFreshness, CommonRequirements } from './policy.ts';
import {
  allowAnyAge,
  allowAnyImage,
  allowDebugMode,
  allowKmsRecipientDocument,
  customTrustAnchor,
  DEFAULT_KIND,
} from './policy.ts';
import type { PolicyPcrs, ReadValue } from './policy-values.ts';
import {
  expecting,
  isRecord,
  listOf,
  optionsOf,
  readBytes,
  readDuration,
  readFlag,
  readHex,
  readNonce,
  readPcrs,
  readText,
} from './policy-values.ts';
import { BINDING_LABEL, purposePreimage, textPreimage, ZERO_PCR } from './preimage.ts';

/** One allowed image. */
export interface CompiledImage {
  readonly name?: string;
  readonly pcrs: PolicyPcrs;
}

/** The freshness rule of one verification: a nonce, or a window of time. */
export type CompiledFreshness = { readonly nonce: Uint8Array } | Pick<AgeFreshness, 'maxAge'>;

/** A rule whose value a policy gives as text or content: hashed with SHA-384 before it can be compared. */
export type HashedRule = 'instanceId' | 'roleArn' | 'binding';

/** What is hashed for the rules of a policy. */
export type Preimages = { readonly [Rule in HashedRule]?: Uint8Array | undefined };

/** The digests of {@link Preimages}. */
export type PolicyDigests = Preimages;

/** Requirements that are compared in another form than the caller's. */
type ReadRequirement = HashedRule | 'pcrs' | typeof allowKmsRecipientDocument | typeof customTrustAnchor;

/** A policy that was found complete: its options, read and copied. What is `undefined` is not asked for. */
export interface CompiledPolicy extends Omit<CommonRequirements, ReadRequirement>, Preimages {
  readonly kind: DocumentKind;
  readonly images?: readonly CompiledImage[];
  readonly pcrs?: PolicyPcrs;
  readonly [allowDebugMode]?: boolean;
  readonly [allowKmsRecipientDocument]?: boolean;
  /** The caller's own; without one, AWS's. */
  readonly trustAnchor?: PathCertificate | undefined;
  /** `'nonce'`: it comes with each call. */
  readonly freshness?: CompiledFreshness | 'nonce';
  /** How far ahead of the clock a document may be, in ms; `undefined` when it is judged at its own timestamp. */
  readonly clockSkew?: number;
}

const DEFAULT_CLOCK_SKEW_MS = 60_000;

/** Registers that an image rule must name: all that tells an image from another. */
const IMAGE_PCRS: Readonly<Record<DocumentKind, readonly number[]>> = { enclave: [0, 1, 2], nitrotpm: [4] };

function isFilledList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value) && value.length > 0;
}

function readTrustAnchor(value: unknown, path: string): PathCertificate {
  try {
    return readPathCertificate(value as Uint8Array, path);
  } catch (cause) {
    return refusePolicy('POLICY_TRUST_ANCHOR', path, 'a P-384 certificate in DER', undefined, { cause, path });
  }
}

const readBinding = optionsOf({ purpose: readText, content: readBytes }, {});

function readTextPreimage(value: unknown, path: string): Uint8Array {
  return textPreimage(readText(value, path));
}

const readNonceFreshness = optionsOf({ nonce: readNonce }, { clockSkew: readDuration });
const readAgeFreshness = optionsOf({ maxAge: readDuration, clockSkew: readDuration }, {});

const readFreshness = (value: unknown, path: string) => {
  if (value === 'nonce') return value;
  if (isRecord(value)) return 'nonce' in value ? readNonceFreshness(value, path) : readAgeFreshness(value, path);
  // Without one, an old document can be replayed.
  return refusePolicy('POLICY_FRESHNESS_MISSING', path, 'nonce, or maxAge and clockSkew');
};

const OPTIONS = {
  id: readText,
  kind: expecting<DocumentKind>('enclave or nitrotpm', (value) => value === 'enclave' || value === 'nitrotpm'),
  images: listOf(
    optionsOf({ pcrs: readPcrs }, { name: readText }),
    expecting('at least one image', isFilledList, 'POLICY_IMAGE_MISSING'),
  ),
  pcrs: readPcrs,
  roleArn: readTextPreimage,
  instanceId: readTextPreimage,
  regions: listOf(readText, expecting('at least one region', isFilledList)),
  allPcrsLocked: readFlag,
  publicKey: readBytes,
  userData: readBytes,
  binding: (value: unknown, path: string) => purposePreimage(BINDING_LABEL, readBinding(value, path)),
  refuseUnknownFields: readFlag,
  revoked: listOf(optionsOf({ issuer: readHex, serialNumber: readHex }, {})),
  [allowAnyImage]: readFlag,
  [allowDebugMode]: readFlag,
  [allowKmsRecipientDocument]: readFlag,
  [customTrustAnchor]: readTrustAnchor,
};
const FRESHNESS_OPTIONS = { freshness: readFreshness, [allowAnyAge]: readFlag };

const readArchiveOptions = optionsOf({}, OPTIONS);
const readOptions = optionsOf({}, { ...OPTIONS, ...FRESHNESS_OPTIONS });

/** A rule must be named, or its absence: neither is a hole (`read` says which), both contradict each other. */
function expectEither(rule: unknown, isAnyAllowed: boolean | undefined, path: string, read: ReadValue): void {
  if (rule === undefined && isAnyAllowed !== true) read(rule, path);
  if (rule !== undefined && isAnyAllowed === true) {
    refusePolicy('POLICY_OPTION_TYPE', path, 'none under this policy');
  }
}

const expectPolicy = expecting('an object', isRecord, 'POLICY_NOT_AN_OBJECT');

function compile(options: ReturnType<typeof readArchiveOptions>): CompiledPolicy {
  const { kind = DEFAULT_KIND, images, [customTrustAnchor]: trustAnchor } = options;
  expectEither(images, options[allowAnyImage], 'policy.images', OPTIONS.images);
  for (const [index, { pcrs }] of (images ?? []).entries()) {
    const path = `policy.images[${index}].pcrs`;
    for (const pcr of IMAGE_PCRS[kind]) {
      const value = pcrs.get(pcr);
      if (!value) refusePolicy('POLICY_IMAGE_PCRS', path, `PCR${pcr}`, 'none');
      // Zeros there are debug mode, not an image. In other registers they are a value: PCR12 of an attestable AMI is zero.
      if (value === ZERO_PCR) refusePolicy('POLICY_PCR_ZERO', `${path}[${pcr}]`, 'a measurement', 'zeros');
    }
  }
  return { ...options, kind, trustAnchor };
}

/** Checks that a policy is complete, and puts it in the form that the checks use. Wrong policies never verify anything. */
export function compilePolicy(policy: unknown): CompiledPolicy {
  const options = readOptions(expectPolicy(policy, 'policy'), 'policy');
  const { freshness } = options;
  const compiled = compile(options);
  expectEither(freshness, options[allowAnyAge], 'policy.freshness', readFreshness);
  const { clockSkew = DEFAULT_CLOCK_SKEW_MS } = isRecord(freshness) ? freshness : {};
  return { ...compiled, clockSkew };
}

/** The same for archived documents: evidence of what was, so neither their age nor what they were made for counts. */
export function compileArchivePolicy(policy: unknown): CompiledPolicy {
  const options = readArchiveOptions(expectPolicy(policy, 'policy'), 'policy');
  return { ...compile(options), [allowKmsRecipientDocument]: true };
}

const expectTime = expecting(
  'ms since the epoch',
  (value): value is number => typeof value === 'number' && value >= 0 && value <= LAST_MOMENT,
  'POLICY_EVALUATION_TIME',
);

/** The evaluation time of a call: the clock is read once, here, and never again. */
export function readEvaluationTime(now: unknown): number {
  return now === undefined ? Date.now() : expectTime(now, 'policy.now');
}

/** The policy with the nonce of one call. */
export function withNonce(policy: CompiledPolicy, nonce: Uint8Array | undefined): CompiledPolicy {
  const path = 'policy.nonce';
  if (policy.freshness === 'nonce') return { ...policy, freshness: { nonce: readNonce(nonce, path) } };
  return nonce === undefined ? policy : refusePolicy('POLICY_OPTION_TYPE', path, 'none under this policy');
}
