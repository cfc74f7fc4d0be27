import { ZERO_PCR } from '../pcr/pcr.ts';
import { failPolicy } from './error.ts';

/** PCRs that a policy asks for: index to 96 hexadecimal digits. */
export type PolicyPcrs = Readonly<Partial<Record<0 | 1 | 2 | 3 | 4 | 8, string>>>;

/** An operation whose answer KMS encrypts for the enclave. */
export type AttestedAction =
  | 'kms:Decrypt'
  | 'kms:GenerateDataKey'
  | 'kms:GenerateDataKeyPair'
  | 'kms:GenerateRandom'
  | 'kms:DeriveSharedSecret';

/** Options of {@link createKmsPolicyStatement}. */
export interface KmsPolicyOptions {
  /** The PCRs that the enclave has to have, all of them: `measureEif` gives 0, 1, 2 and 8. */
  readonly pcrs: PolicyPcrs;
  /** ARNs of the roles (or users, or accounts' roots) that the enclave acts as. */
  readonly principals: readonly string[];
  /** Default: `kms:Decrypt`, `kms:GenerateDataKey` and `kms:GenerateDataKeyPair`. */
  readonly actions?: readonly AttestedAction[];
  /** Name of the statement, letters and digits. Default `EnclaveOnly`. */
  readonly sid?: string;
}

/** A statement of a KMS key policy. */
export interface KmsPolicyStatement {
  readonly Sid: string;
  readonly Effect: 'Allow';
  readonly Principal: { readonly AWS: string | readonly string[] };
  readonly Action: readonly AttestedAction[];
  readonly Resource: '*';
  readonly Condition: { readonly StringEqualsIgnoreCase: Readonly<Record<string, string>> };
}

/** Why a statement lets more in than it seems to. */
export interface KmsPolicyWarning {
  readonly code:
    | 'POLICY_ALLOWS_DEBUG_MODE'
    | 'POLICY_ALLOWS_ANY_SIGNED_IMAGE'
    | 'POLICY_ALLOWS_ANY_APPLICATION'
    | 'POLICY_ALLOWS_ANY_KERNEL';
  readonly message: string;
}

/** A statement, and what to know of it. */
export interface KmsPolicy {
  readonly statement: KmsPolicyStatement;
  readonly warnings: readonly KmsPolicyWarning[];
}

const ATTESTED_ACTIONS: ReadonlySet<string> = new Set<AttestedAction>([
  'kms:Decrypt',
  'kms:GenerateDataKey',
  'kms:GenerateDataKeyPair',
  'kms:GenerateRandom',
  'kms:DeriveSharedSecret',
]);
const DEFAULT_ACTIONS: readonly AttestedAction[] = ['kms:Decrypt', 'kms:GenerateDataKey', 'kms:GenerateDataKeyPair'];
const POLICY_INDEXES = [0, 1, 2, 3, 4, 8] as const;

/** Source: AWS KMS Developer Guide, "Condition keys for AWS Nitro Enclaves". PCR0 has a name of its own there. */
function conditionKey(index: (typeof POLICY_INDEXES)[number]): string {
  return `kms:RecipientAttestation:${index === 0 ? 'ImageSha384' : `PCR${index}`}`;
}

function checkPcr(index: number, pcr: string): string {
  if (!/^[0-9a-fA-F]{96}$/.test(pcr)) {
    failPolicy('KMS_POLICY_PCR', `expected PCR${index} as 96 hexadecimal digits, found ${pcr.length} characters`);
  }
  // Zero is what every enclave in debug mode shows, whatever runs in it, and what is shown where nothing was measured.
  if (pcr === ZERO_PCR) {
    failPolicy(
      'KMS_POLICY_ZERO_PCR',
      `expected a measured PCR${index}, found zeros, which every enclave in debug mode has`,
    );
  }
  return pcr.toLowerCase();
}

function checkConditions(pcrs: PolicyPcrs): Record<string, string> {
  const conditions: Record<string, string> = {};
  for (const index of POLICY_INDEXES) {
    const pcr = pcrs[index];
    if (pcr !== undefined) conditions[conditionKey(index)] = checkPcr(index, pcr);
  }
  if (Object.keys(conditions).length === 0) failPolicy('KMS_POLICY_NO_PCR', 'expected at least one PCR, found none');
  return conditions;
}

function checkPrincipals(principals: readonly string[]): void {
  if (principals.length === 0) failPolicy('KMS_POLICY_PRINCIPAL', 'expected at least one principal, found none');
  for (const principal of principals) {
    if (/^arn:[a-z][a-z0-9-]*:(?:iam|sts)::\d{12}:(?:root|(?:role|user|assumed-role)\/[\w+=,.@/-]+)$/.test(principal))
      continue;
    failPolicy(
      'KMS_POLICY_PRINCIPAL',
      `expected the ARN of a role, user or account, found ${JSON.stringify(principal)}`,
    );
  }
}

function checkActions(actions: readonly string[]): void {
  if (actions.length === 0) failPolicy('KMS_POLICY_ACTION', 'expected at least one action, found none');
  for (const action of actions) {
    if (ATTESTED_ACTIONS.has(action)) continue;
    const known = [...ATTESTED_ACTIONS].join(', ');
    failPolicy(
      'KMS_POLICY_ACTION',
      `expected an action that takes an attestation (${known}), found ${JSON.stringify(action)}`,
    );
  }
}

/** What else than the meant image satisfies these PCRs. */
function judge(pcrs: PolicyPcrs): KmsPolicyWarning[] {
  const has = (index: (typeof POLICY_INDEXES)[number]): boolean => pcrs[index] !== undefined;
  if (has(0)) return [];
  const image = has(1) || has(2);
  if (!image && !has(8)) {
    const message =
      'PCR3 and PCR4 name the parent instance, not the image: any image there satisfies this, in debug mode too, where its console and memory are open. Add PCR0.';
    return [{ code: 'POLICY_ALLOWS_DEBUG_MODE', message }];
  }
  if (!image) {
    const message =
      'PCR8 names the signer, not the image: every image that was or will be signed with this certificate satisfies this, old ones with known faults too. Add PCR0.';
    return [{ code: 'POLICY_ALLOWS_ANY_SIGNED_IMAGE', message }];
  }
  if (!has(2)) {
    const message =
      'PCR1 covers kernel and first ramdisk only: any application on them satisfies this. Add PCR0 or PCR2.';
    return [{ code: 'POLICY_ALLOWS_ANY_APPLICATION', message }];
  }
  if (!has(1)) {
    const message = 'PCR2 covers the application only: any kernel and init below it satisfy this. Add PCR0 or PCR1.';
    return [{ code: 'POLICY_ALLOWS_ANY_KERNEL', message }];
  }
  return [];
}

/**
 * Makes the statement of a key policy that lets only an enclave of these PCRs use the key.
 * @throws {KmsPolicyError} `KMS_POLICY_ZERO_PCR` for a PCR of zeros, `KMS_POLICY_NO_PCR`, `KMS_POLICY_PCR`,
 * `KMS_POLICY_PRINCIPAL`, `KMS_POLICY_ACTION` for one that no attestation goes with, `KMS_POLICY_SID`.
 */
export function createKmsPolicyStatement(options: KmsPolicyOptions): KmsPolicy {
  const { pcrs, principals, actions = DEFAULT_ACTIONS, sid = 'EnclaveOnly' } = options;
  const conditions = checkConditions(pcrs);
  checkPrincipals(principals);
  checkActions(actions);
  if (!/^[A-Za-z0-9]+$/.test(sid))
    failPolicy('KMS_POLICY_SID', `expected letters and digits, found ${JSON.stringify(sid)}`);
  const [first = '', ...others] = principals;
  return {
    statement: {
      Sid: sid,
      Effect: 'Allow',
      Principal: { AWS: others.length === 0 ? first : [...principals] },
      Action: [...actions],
      Resource: '*',
      Condition: { StringEqualsIgnoreCase: conditions },
    },
    warnings: judge(pcrs),
  };
}
