import { kmsArn } from '../arn.ts';
import { judgeAccess } from '../authorize.ts';
import type { KmsCall } from '../call.ts';
import { KeyPolicyError } from '../error.ts';
import type { Member } from '../input.ts';
import { flag, required, text } from '../input.ts';
import type { Policy, PolicyInput } from '../policy/document.ts';
import { parsePolicy } from '../policy/document.ts';
import { createContext, keyEntries } from '../policy/request-context.ts';
import { KmsServiceError } from '../service-error.ts';
import type { KeyRecord } from '../store/store.ts';
import type { Operation } from './operation.ts';
import { defineOperation, keyId, limit, marker } from './operation.ts';
import { pageOf } from './page.ts';

/** The only policy that a key has. */
const POLICY_NAME = 'default';

/** Tab, line feed, carriage return, and the printable characters of Latin-1. */
const POLICY_CHARACTERS = /^[\t\n\r -\u00FF]+$/;
export const policyText: Member<string | undefined> = text({ min: 1, max: 131_072 }, POLICY_CHARACTERS);
const policyName = text({ min: 1, max: 128 }, /^[\w]+$/);

/** The policy of a key that was made without one: it leaves everything to the account's IAM policies. */
export function defaultKeyPolicy({ accountId, partition }: { accountId: string; partition: string }): PolicyInput {
  return {
    Version: '2012-10-17',
    Id: 'key-default-1',
    Statement: [
      {
        Sid: 'Enable IAM User Permissions',
        Effect: 'Allow',
        Principal: { AWS: `arn:${partition}:iam::${accountId}:root` },
        Action: 'kms:*',
        Resource: '*',
      },
    ],
  };
}

function parse(policy: string): Policy {
  try {
    return parsePolicy(policy);
  } catch (error) {
    if (!(error instanceof KeyPolicyError)) throw error;
    throw new KmsServiceError('MalformedPolicyDocumentException', error.message);
  }
}

/**
 * The text of a key policy that has the right form, or of the default one.
 * @throws {KmsServiceError} `MalformedPolicyDocumentException`
 */
export function readKeyPolicy(policy: string | undefined, place: { accountId: string; partition: string }): string {
  if (policy === undefined) return JSON.stringify(defaultKeyPolicy(place), null, 2);
  parse(policy);
  return policy;
}

/**
 * A policy that its own author could not change any more has locked everybody out, for good.
 * @throws {KmsServiceError} `MalformedPolicyDocumentException`
 */
export function expectManageable(
  policy: string,
  key: Pick<KeyRecord, 'keyId' | 'keySpec' | 'keyUsage'>,
  call: KmsCall,
): void {
  const { place } = call.keys;
  const { decision } = judgeAccess(call.caller, {
    action: 'kms:PutKeyPolicy',
    resource: kmsArn(place, `key/${key.keyId}`),
    keyPolicy: parse(policy),
    accountId: place.accountId,
    context: createContext(call.entries, keyEntries({ ...key, accountId: place.accountId })),
  });
  if (decision === 'allowed') return;
  throw new KmsServiceError(
    'MalformedPolicyDocumentException',
    'The new key policy will not allow you to update the key policy in the future.',
  );
}

function expectDefaultName(name: string | undefined): void {
  if (name === undefined || name === POLICY_NAME) return;
  throw new KmsServiceError('NotFoundException', `No such policy exists`);
}

export const putKeyPolicy: Operation = defineOperation({
  isReadOnly: false,
  members: { KeyId: keyId, PolicyName: policyName, Policy: required(policyText), BypassPolicyLockoutSafetyCheck: flag },
  run: (input, call) => {
    const { BypassPolicyLockoutSafetyCheck: bypass = false } = input;
    const entries = { 'kms:BypassPolicyLockoutSafetyCheck': String(bypass) };
    const key = call.useKey(input.KeyId, 'kms:PutKeyPolicy', { aliases: false, entries });
    expectDefaultName(input.PolicyName);
    parse(input.Policy);
    if (!bypass) expectManageable(input.Policy, key, call);
    call.keys.save({ ...key, policy: input.Policy });
    return { output: {} };
  },
});

export const getKeyPolicy: Operation = defineOperation({
  isReadOnly: true,
  members: { KeyId: keyId, PolicyName: policyName },
  run: (input, call) => {
    const { policy } = call.useKey(input.KeyId, 'kms:GetKeyPolicy', { aliases: false });
    expectDefaultName(input.PolicyName);
    return { output: { Policy: policy, PolicyName: POLICY_NAME } };
  },
});

export const listKeyPolicies: Operation = defineOperation({
  isReadOnly: true,
  members: { KeyId: keyId, Limit: limit, Marker: marker },
  run: (input, call) => {
    call.useKey(input.KeyId, 'kms:ListKeyPolicies', { aliases: false });
    return { output: pageOf([POLICY_NAME], input, 'PolicyNames') };
  },
});
