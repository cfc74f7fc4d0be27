import type { Pcrs } from '@nitro-enclaves/attestation';
import { encodeHex, NitroEnclavesError } from '@nitro-enclaves/core';
import type { Arn } from './arn.ts';
import { kmsArn, parseArn } from './arn.ts';
import type { Policy, PolicyInput } from './policy/document.ts';
import { parsePolicy } from './policy/document.ts';
import type { Decision } from './policy/evaluate.ts';
import { decide } from './policy/evaluate.ts';
import { explainDecision } from './policy/explain.ts';
import { matchesGlob } from './policy/pattern.ts';
import type { ContextEntries, MeasuredDocument } from './policy/request-context.ts';
import {
  circumstanceEntries,
  createContext,
  encryptionContextEntries,
  keyEntries,
  recipientEntries,
} from './policy/request-context.ts';
import type { Principal } from './principal.ts';
import { principalOf } from './principal.ts';
import { readUnsignedDocument } from './recipient/unsigned-document.ts';

/** Why a simulation could not be made. */
export type SimulationErrorCode =
  | 'SIMULATION_DOCUMENT'
  | 'SIMULATION_PCR'
  | 'SIMULATION_PRINCIPAL'
  | 'SIMULATION_RESOURCE'
  | 'SIMULATION_TIME'
  | 'SIMULATION_ACTION';

/** A simulation lacks something, or got something that is none. Never a decision. */
export class SimulationError extends NitroEnclavesError<SimulationErrorCode> {}

/** A request that is imagined. */
export interface SimulationRequest {
  /** The key policy, as JSON text or as its object. */
  readonly policy: PolicyInput;
  /** The attestation document of `Recipient`. Its measurements are taken as they are: nothing is verified. */
  readonly document?: Uint8Array;
  /** Or the measurements alone: 48 bytes each, or their hexadecimal. Without either, the request has no recipient. */
  readonly pcrs?: Readonly<Record<number, string | Uint8Array>>;
  /** What the `pcrs` are of. Default `enclave`. */
  readonly kind?: 'enclave' | 'nitrotpm';
  /** Default `kms:Decrypt`. */
  readonly action?: string;
  /** ARN of who asks. Default: the one principal that the policy allows this action, if it is one. */
  readonly principal?: string;
  /** ARN of the key, not of an alias. Default: the one that the policy names, else a made-up one in the principal's account. */
  readonly resource?: string;
  readonly encryptionContext?: Readonly<Record<string, string>>;
  /** Default: one that allows everything. */
  readonly identityPolicies?: readonly PolicyInput[];
  /** Further keys of the request context, such as `kms:ViaService` or `aws:SourceIp`; they win over what is assumed. */
  readonly context?: ContextEntries;
  /** Default: the region of the key, else `us-east-1`. */
  readonly region?: string;
  /** The time of the request, in ms since the epoch. Default: now. */
  readonly now?: number;
}

/** What would be decided, and why. */
export interface Simulation extends Decision {
  /** For people: which statement and condition decided, or which were missing. */
  readonly explanation: string;
  /** What was asked, with everything that was assumed. */
  readonly principal: string;
  readonly action: string;
  readonly resource: string;
}

/** Operations that take a Recipient; in all others the measurements are not in the context. */
const ATTESTED_ACTIONS: ReadonlySet<string> = new Set(
  ['Decrypt', 'DeriveSharedSecret', 'GenerateDataKey', 'GenerateDataKeyPair', 'GenerateRandom'].map(
    (name) => `kms:${name.toLowerCase()}`,
  ),
);
/** Operations that concern no key, so that no key policy is asked. */
const KEYLESS_ACTIONS: ReadonlySet<string> = new Set(
  ['CreateKey', 'GenerateRandom', 'ListAliases', 'ListKeys'].map((name) => `kms:${name.toLowerCase()}`),
);
const PCR_HEX = /^[0-9a-f]{96}$/;
const MADE_UP_KEY = 'key/00000000-0000-0000-0000-000000000000';
const MADE_UP_ROLE = 'role/anybody';
const MADE_UP_ACCOUNT = '111122223333';
const EVERYTHING: PolicyInput = { Version: '2012-10-17', Statement: { Effect: 'Allow', Action: '*', Resource: '*' } };

function readPcr(index: string, value: string | Uint8Array): string {
  const hex = (typeof value === 'string' ? value : encodeHex(value)).toLowerCase();
  if (/^(?:[12]?\d|3[01])$/.test(index) && PCR_HEX.test(hex)) return hex;
  throw new SimulationError(
    'SIMULATION_PCR',
    `expected PCR${index.slice(0, 8)} to be one of 0 to 31, of 48 bytes or 96 hexadecimal digits`,
  );
}

function readPcrs(values: Readonly<Record<number, string | Uint8Array>>): Pcrs {
  return Object.fromEntries(Object.entries(values).map(([index, value]) => [index, readPcr(index, value)]));
}

function readDocument(document: Uint8Array): MeasuredDocument {
  try {
    return readUnsignedDocument(document);
  } catch (cause) {
    throw new SimulationError('SIMULATION_DOCUMENT', 'expected an attestation document, found bytes that are none', {
      cause,
    });
  }
}

function measuredDocument({ document, pcrs, kind = 'enclave' }: SimulationRequest): MeasuredDocument | null {
  if (document !== undefined && pcrs !== undefined) {
    throw new SimulationError('SIMULATION_DOCUMENT', 'expected a document or PCRs, found both');
  }
  if (document !== undefined) return readDocument(document);
  return pcrs === undefined ? null : { kind, pcrs: readPcrs(pcrs) };
}

/** Principals that the policy allows this action, each once. */
function allowedPrincipals({ statements }: Policy, action: string): string[] {
  const named = statements
    .filter(({ effect, action: { isNegated, values } }) => {
      const matches = values.some((value) => matchesGlob(action.toLowerCase(), value.toLowerCase()));
      return effect === 'Allow' && matches !== isNegated;
    })
    .flatMap(({ principal }) => (principal === null || principal.isNegated ? [] : principal.values))
    .filter(({ kind }) => kind === 'AWS');
  return [...new Set(named.map(({ value }) => value))];
}

function isAccount(name: string): boolean {
  return /^\d{12}$/.test(name) || name.endsWith(':root');
}

/** A role is meant rather than the account that it is in; `*` means whoever asks, of the key's own account. */
function assumePrincipal(policy: Policy, action: string, key: Arn | null): string {
  const names = allowedPrincipals(policy, action);
  const own = names.filter((name) => !isAccount(name) && name !== '*');
  const [only, ...others] = own.length > 0 ? own : names;
  if (only === undefined || only === '*') {
    return `arn:${key?.partition ?? 'aws'}:iam::${key?.accountId ?? MADE_UP_ACCOUNT}:${MADE_UP_ROLE}`;
  }
  if (others.length === 0) return /^\d{12}$/.test(only) ? `arn:${key?.partition ?? 'aws'}:iam::${only}:root` : only;
  throw new SimulationError(
    'SIMULATION_PRINCIPAL',
    `expected a principal, since the policy allows ${action} to ${others.length + 1} of them`,
  );
}

function expectAction(action: string): void {
  if (/^kms:[A-Za-z]+$/.test(action)) return;
  throw new SimulationError(
    'SIMULATION_ACTION',
    `expected an action such as kms:Decrypt, found ${JSON.stringify(action.slice(0, 64))}`,
  );
}

/** What a key policy is asked about is a key: an alias is resolved before. Anything else would be compared, and match `*`. */
function expectResource(resource: string): string {
  const arn = parseArn(resource);
  const isKey = arn?.service === 'kms' && /^\d{12}$/.test(arn.accountId) && /^key\/[^*?]+$/.test(arn.resource);
  if (isKey) return resource;
  throw new SimulationError(
    'SIMULATION_RESOURCE',
    `expected the ARN of a key (arn:aws:kms:…:key/…), found ${JSON.stringify(resource.slice(0, 128))}`,
  );
}

function expectTime(now: number | undefined): void {
  if (now === undefined || !Number.isNaN(new Date(now).getTime())) return;
  throw new SimulationError('SIMULATION_TIME', `expected now in ms since the epoch, found ${now}`);
}

/** The key that the policy itself names, if it names one. */
function namedResource({ statements }: Policy): string | undefined {
  const named = statements.flatMap(({ resource }) => (resource.isNegated ? [] : resource.values));
  return named.find((value) => /^arn:[^:]+:kms:[^:*?$]+:\d{12}:key\/[0-9a-z-]+$/.test(value));
}

/** Roles and federated users act through temporary credentials, and only those say whether there was MFA. */
function isSession({ type }: Principal): boolean {
  return type === 'AssumedRole' || type === 'FederatedUser';
}

function circumstancesOf(
  { context = {}, encryptionContext = {}, now = Date.now() }: SimulationRequest,
  { principal, region, accountId }: { principal: Principal; region: string; accountId: string },
): ContextEntries {
  const stated = new Set(Object.keys(context).map((name) => name.toLowerCase()));
  const assumed = {
    ...circumstanceEntries({ principal, region, now, isTemporary: isSession(principal) }),
    ...keyEntries({ accountId, keySpec: 'SYMMETRIC_DEFAULT', keyUsage: 'ENCRYPT_DECRYPT' }),
    'kms:EncryptionAlgorithm': 'SYMMETRIC_DEFAULT',
    ...encryptionContextEntries(new Map(Object.entries(encryptionContext))),
  };
  const unstated = Object.entries(assumed).filter(([name]) => !stated.has(name.toLowerCase()));
  return { ...Object.fromEntries(unstated), ...context };
}

/**
 * Tells whether a request with this document would be allowed by this key policy, and which statement and condition decide.
 * The document's measurements are believed: whether it is genuine, only a verification tells.
 * @throws {KeyPolicyError} when a policy is none
 * @throws {SimulationError} when the request lacks something
 * @throws {EmulatedKmsError} `KMS_PRINCIPAL`
 */
export function simulate(request: SimulationRequest): Simulation {
  const { action = 'kms:Decrypt', identityPolicies = [EVERYTHING] } = request;
  expectAction(action);
  expectTime(request.now);
  if (request.resource !== undefined) expectResource(request.resource);
  const policy = parsePolicy(request.policy);
  const document = measuredDocument(request);
  const named = request.resource ?? namedResource(policy);
  const key = parseArn(named ?? '');
  const principal = principalOf(request.principal ?? assumePrincipal(policy, action, key));
  const region = request.region ?? key?.region ?? 'us-east-1';
  const isKeyless = KEYLESS_ACTIONS.has(action.toLowerCase());
  const resource = isKeyless ? '*' : (named ?? kmsArn({ region, accountId: principal.accountId }, MADE_UP_KEY));
  const accountId = parseArn(resource)?.accountId ?? principal.accountId;
  const isAttested = document !== null && ATTESTED_ACTIONS.has(action.toLowerCase());
  const context = createContext(
    circumstancesOf(request, { principal, region, accountId }),
    isAttested ? recipientEntries(document) : {},
  );
  const decision = decide(
    { principal, action, resource, context },
    {
      keyPolicy: isKeyless ? null : policy,
      accountId,
      identityPolicies: identityPolicies.map((one) => parsePolicy(one, 'identity')),
    },
  );
  return { ...decision, principal: principal.arn, action, resource, explanation: explainDecision(decision) };
}
