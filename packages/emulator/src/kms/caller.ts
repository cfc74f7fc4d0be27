import { randomBytes, randomInt } from 'node:crypto';
import { EmulatedKmsError } from './error.ts';
import type { Policy, PolicyInput } from './policy/document.ts';
import { parsePolicy } from './policy/document.ts';
import type { Principal } from './principal.ts';
import { principalOf } from './principal.ts';

/** Credentials that the emulated KMS knows, and who they belong to. */
export interface EmulatedCredentials {
  /** Such as `AKIA…` of a user, or `ASIA…` with a session token. */
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Temporary credentials have one: a request must bring it along. */
  readonly sessionToken?: string;
  /** When they end. Default: never. */
  readonly expiration?: Date;
  /** Whose they are: ARN of an account's root, user, role, assumed role or federated user. Default: user `developer`. */
  readonly principalArn?: string;
  /** ARN of an assumed role whose path is not `/`. */
  readonly roleArn?: string;
  /** The principal's IAM policies. Default: one that allows everything in KMS, as an administrator's does. */
  readonly identityPolicies?: readonly PolicyInput[];
  /** Tags of the principal: `aws:PrincipalTag/…`. */
  readonly tags?: Readonly<Record<string, string>>;
  /** The AWS service through which requests with these credentials come, such as `s3.us-east-1.amazonaws.com`. */
  readonly viaService?: string;
  /** Further keys of the request context, such as `aws:SourceVpce`. */
  readonly context?: Readonly<Record<string, string | readonly string[]>>;
}

/** Who made a request. */
export interface Caller {
  readonly credentials: EmulatedCredentials;
  readonly principal: Principal;
  readonly identityPolicies: readonly Policy[];
}

/** What a principal may do whose IAM policies nobody stated. */
const ADMINISTRATOR: PolicyInput = {
  Version: '2012-10-17',
  Statement: { Sid: 'Administrator', Effect: 'Allow', Action: '*', Resource: '*' },
};

const ACCESS_KEY_ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** Long-term credentials of the account's user `developer`, made up. */
export function createCredentials(accountId: string, partition: string): EmulatedCredentials {
  const suffix = Array.from({ length: 16 }, () => ACCESS_KEY_ALPHABET[randomInt(ACCESS_KEY_ALPHABET.length)]).join('');
  return {
    accessKeyId: `AKIA${suffix}`,
    secretAccessKey: randomBytes(30).toString('base64'),
    principalArn: `arn:${partition}:iam::${accountId}:user/developer`,
  };
}

/** All credentials of one emulated KMS, by access key. */
export class CredentialBook {
  readonly #defaultPrincipal: string;
  readonly #callers = new Map<string, Caller>();

  constructor(defaultPrincipal: string) {
    this.#defaultPrincipal = defaultPrincipal;
  }

  /**
   * Adds credentials, or replaces those of the same access key.
   * @throws {EmulatedKmsError} `KMS_OPTION`, `KMS_PRINCIPAL`
   * @throws {KeyPolicyError} when an identity policy is none
   */
  add(credentials: EmulatedCredentials): void {
    const { accessKeyId, secretAccessKey, principalArn, roleArn, identityPolicies = [ADMINISTRATOR] } = credentials;
    if (!/^\w{16,128}$/.test(accessKeyId) || secretAccessKey === '') {
      throw new EmulatedKmsError(
        'KMS_OPTION',
        'expected an access key id of 16 to 128 letters and digits, and a secret access key',
      );
    }
    this.#callers.set(accessKeyId, {
      credentials,
      principal: principalOf(principalArn ?? this.#defaultPrincipal, roleArn),
      identityPolicies: identityPolicies.map((policy) => parsePolicy(policy, 'identity')),
    });
  }

  /** Forgets credentials; requests with them are refused from now on. */
  remove(accessKeyId: string): void {
    this.#callers.delete(accessKeyId);
  }

  find(accessKeyId: string): Caller | undefined {
    return this.#callers.get(accessKeyId);
  }
}
