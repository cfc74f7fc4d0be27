import type { Pcrs } from '@nitro-enclaves/attestation';
import type { Principal } from '../principal.ts';
import type { ConditionContext } from './pattern.ts';

/** Entries of a request context, names in AWS's case. `undefined` and empty lists are no entries. */
export type ContextEntries = Readonly<Record<string, string | readonly string[] | undefined>>;

/** Merges entries into a context. Names that differ in case only are one key, its values together. */
export function createContext(...parts: readonly ContextEntries[]): ConditionContext {
  const context = new Map<string, readonly string[]>();
  for (const part of parts) {
    for (const [name, value] of Object.entries(part)) {
      const values = typeof value === 'string' ? [value] : (value ?? []);
      if (values.length > 0) addValues(context, name.toLowerCase(), values);
    }
  }
  return context;
}

function addValues(context: Map<string, readonly string[]>, key: string, values: readonly string[]): void {
  const known = context.get(key);
  context.set(key, known === undefined ? values : [...known, ...values]);
}

/** Circumstances of a request that do not depend on its operation. */
export interface Circumstances {
  readonly principal: Principal;
  /** AWS region of the endpoint. */
  readonly region: string;
  /** In ms since the epoch. */
  readonly now: number;
  readonly sourceIp?: string | undefined;
  readonly userAgent?: string | undefined;
  readonly principalTags?: Readonly<Record<string, string>> | undefined;
  /** Whether the credentials are a session's. */
  readonly isTemporary?: boolean | undefined;
  /** The AWS service that makes the request on the principal's behalf. */
  readonly viaService?: string | undefined;
}

function tagEntries(prefix: string, tags: Readonly<Record<string, string>> = {}): ContextEntries {
  return Object.fromEntries(Object.entries(tags).map(([name, value]) => [`${prefix}/${name}`, value]));
}

/** The global keys that make sense for KMS (IAM, "AWS global condition context keys"). */
export function circumstanceEntries(circumstances: Circumstances): ContextEntries {
  const { principal, region, now, sourceIp, userAgent, principalTags, isTemporary = false, viaService } = circumstances;
  return {
    'aws:PrincipalArn': principal.principalArn,
    'aws:PrincipalAccount': principal.accountId,
    'aws:PrincipalType': principal.type,
    'aws:userid': principal.name === null ? principal.accountId : `${principal.accountId}:${principal.name}`,
    'aws:username': principal.type === 'User' ? (principal.name ?? undefined) : undefined,
    'aws:MultiFactorAuthPresent': isTemporary ? 'false' : undefined,
    'aws:PrincipalIsAWSService': 'false',
    'aws:ViaAWSService': String(viaService !== undefined),
    'aws:RequestedRegion': region,
    'aws:SecureTransport': 'true',
    'aws:CurrentTime': new Date(now).toISOString(),
    'aws:EpochTime': String(Math.floor(now / 1000)),
    'aws:SourceIp': viaService === undefined ? sourceIp : undefined,
    'aws:UserAgent': userAgent,
    'kms:CallerAccount': principal.accountId,
    'kms:ViaService': viaService,
    ...tagEntries('aws:PrincipalTag', principalTags),
  };
}

/** What is known of a key. */
export interface KeyCircumstances {
  readonly accountId: string;
  readonly keySpec: string;
  readonly keyUsage: string;
  readonly tags?: Readonly<Record<string, string>>;
  /** Names of its aliases. */
  readonly aliases?: readonly string[];
}

/** Keys that depend on the KMS key (AWS KMS Developer Guide, "AWS KMS condition keys"). */
export function keyEntries({ accountId, keySpec, keyUsage, tags, aliases = [] }: KeyCircumstances): ContextEntries {
  return {
    'kms:KeySpec': keySpec,
    'kms:CustomerMasterKeySpec': keySpec,
    'kms:KeyUsage': keyUsage,
    'kms:CustomerMasterKeyUsage': keyUsage,
    'kms:KeyOrigin': 'AWS_KMS',
    'kms:MultiRegion': 'false',
    'kms:ResourceAliases': aliases,
    'aws:ResourceAccount': accountId,
    ...tagEntries('aws:ResourceTag', tags),
  };
}

/** `kms:EncryptionContext:…` for each pair, and `kms:EncryptionContextKeys`. */
export function encryptionContextEntries(context: ReadonlyMap<string, string>): ContextEntries {
  const pairs = [...context].map(([name, value]): [string, string] => [`kms:EncryptionContext:${name}`, value]);
  return { ...Object.fromEntries(pairs), 'kms:EncryptionContextKeys': [...context.keys()] };
}

/** What of a document the condition keys show: the same PCR has another key by where it was measured. */
export interface MeasuredDocument {
  readonly kind: 'enclave' | 'nitrotpm';
  readonly pcrs: Pcrs;
}

/** `kms:RecipientAttestation:…`: lower-case hexadecimal (AWS KMS Developer Guide, "Condition keys for attested platforms"). */
export function recipientEntries({ kind, pcrs }: MeasuredDocument): ContextEntries {
  const isEnclave = kind === 'enclave';
  const entries: Record<string, string | undefined> = {
    'kms:RecipientAttestation:ImageSha384': isEnclave ? pcrs[0]?.toLowerCase() : undefined,
  };
  const prefix = `kms:RecipientAttestation:${isEnclave ? 'PCR' : 'NitroTPMPCR'}`;
  for (const [index, value] of Object.entries(pcrs)) entries[prefix + index] = value.toLowerCase();
  return entries;
}
