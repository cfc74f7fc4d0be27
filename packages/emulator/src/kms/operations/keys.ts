import { randomUUID } from 'node:crypto';
import { partitionOf } from '../arn.ts';
import { flag, integer, list, oneOf, required, structure, text } from '../input.ts';
import { generateMaterial, keyMaterialId } from '../key-material.ts';
import type { KmsKey } from '../key-ring.ts';
import { stateOf } from '../key-ring.ts';
import type { KeySpec, KeyUsage } from '../key-spec.ts';
import { algorithmsOf, FOREIGN_KEY_SPECS, KEY_SPECS } from '../key-spec.ts';
import { KmsServiceError, validationError } from '../service-error.ts';
import { expectManageable, policyText, readKeyPolicy } from './key-policies.ts';
import type { Operation, Output } from './operation.ts';
import { defineOperation, grantTokens, keyId, limit, marker } from './operation.ts';
import { pageOf } from './page.ts';

const DAY_MS = 86_400_000;
const DEFAULT_WINDOW_DAYS = 30;
const MIN_WINDOW_DAYS = 7;
const MAX_WINDOW_DAYS = 30;

const SPECS = [...(Object.keys(KEY_SPECS) as KeySpec[]), ...FOREIGN_KEY_SPECS];

/** KMS counts time in seconds, with fractions. */
function seconds(ms: number): number {
  return ms / 1000;
}

/** `KeyMetadata` of every operation that shows a key. */
export function describeKey(key: KmsKey, accountId: string): Output {
  const { encryption, signing } = algorithmsOf(key.keySpec, key.keyUsage);
  const state = stateOf(key);
  return {
    AWSAccountId: accountId,
    KeyId: key.keyId,
    Arn: key.arn,
    CreationDate: seconds(key.creationDate),
    Enabled: state === 'Enabled',
    Description: key.description,
    KeyUsage: key.keyUsage,
    KeyState: state,
    DeletionDate: key.deletionDate === null ? undefined : seconds(key.deletionDate),
    Origin: 'AWS_KMS',
    KeyManager: 'CUSTOMER',
    CustomerMasterKeySpec: key.keySpec,
    KeySpec: key.keySpec,
    EncryptionAlgorithms: encryption.length === 0 ? undefined : encryption,
    SigningAlgorithms: signing.length === 0 ? undefined : signing,
    KeyAgreementAlgorithms: key.keyUsage === 'KEY_AGREEMENT' ? ['ECDH'] : undefined,
    MultiRegion: false,
    CurrentKeyMaterialId: key.keySpec === 'SYMMETRIC_DEFAULT' ? keyMaterialId(key.keyId) : undefined,
  };
}

function expectSpec(asked: string): KeySpec {
  if (asked in KEY_SPECS) return asked as KeySpec;
  throw new KmsServiceError('UnsupportedOperationException', `KeySpec ${asked} is not emulated.`);
}

/** The one use of a symmetric key is taken for granted; a pair's must be said. */
function expectKeyUsage(asked: string | undefined, spec: KeySpec): KeyUsage {
  const wanted = asked ?? (spec === 'SYMMETRIC_DEFAULT' ? 'ENCRYPT_DECRYPT' : undefined);
  if (wanted === undefined)
    throw validationError('You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.');
  const usage = KEY_SPECS[spec].usages.find((one) => one === wanted);
  if (usage !== undefined) return usage;
  throw validationError(`KeyUsage ${wanted} is not compatible with KeySpec ${spec}`);
}

/** Names that begin with `aws:` are AWS's own. */
function readTags(list: readonly { readonly TagKey: string; readonly TagValue: string }[]): Record<string, string> {
  const names = list.map(({ TagKey: name }) => name);
  const isWrong = names.some((name, index) => names.indexOf(name) !== index || name.toLowerCase().startsWith('aws:'));
  if (isWrong) throw new KmsServiceError('TagException', 'Duplicate tag keys, or tag keys that begin with aws:');
  return Object.fromEntries(list.map(({ TagKey: name, TagValue: value }) => [name, value]));
}

const UNSUPPORTED = ['CustomKeyStoreId', 'XksKeyId'] as const;

export const createKey: Operation = defineOperation({
  isReadOnly: false,
  members: {
    Policy: policyText,
    Description: text({ max: 8192 }),
    KeyUsage: oneOf([
      'SIGN_VERIFY',
      'ENCRYPT_DECRYPT',
      'GENERATE_VERIFY_MAC',
      'KEY_AGREEMENT',
      'ENCAPSULATE_DECAPSULATE',
    ]),
    CustomerMasterKeySpec: oneOf(SPECS),
    KeySpec: oneOf(SPECS),
    Origin: oneOf(['AWS_KMS', 'EXTERNAL', 'AWS_CLOUDHSM', 'EXTERNAL_KEY_STORE']),
    CustomKeyStoreId: text({ min: 1, max: 64 }),
    XksKeyId: text({ min: 1, max: 128 }),
    BypassPolicyLockoutSafetyCheck: flag,
    Tags: list(structure({ TagKey: required(text({ min: 1, max: 128 })), TagValue: required(text({ max: 256 })) })),
    MultiRegion: flag,
  },
  run: async (input, call) => {
    const {
      Description: description = '',
      BypassPolicyLockoutSafetyCheck: bypass = false,
      Origin: origin = 'AWS_KMS',
    } = input;
    const spec = expectSpec(input.KeySpec ?? input.CustomerMasterKeySpec ?? 'SYMMETRIC_DEFAULT');
    const keyUsage = expectKeyUsage(input.KeyUsage, spec);
    if (origin !== 'AWS_KMS' || input.MultiRegion === true || UNSUPPORTED.some((name) => input[name] !== undefined)) {
      throw new KmsServiceError(
        'UnsupportedOperationException',
        'Imported material, custom key stores and multi-Region keys are not emulated.',
      );
    }
    const tags = readTags(input.Tags);
    const entries = {
      'kms:KeySpec': spec,
      'kms:KeyUsage': keyUsage,
      'kms:KeyOrigin': origin,
      'kms:MultiRegion': 'false',
      'kms:BypassPolicyLockoutSafetyCheck': String(bypass),
      'aws:TagKeys': Object.keys(tags),
      ...Object.fromEntries(Object.entries(tags).map(([name, value]) => [`aws:RequestTag/${name}`, value])),
    };
    call.authorizeIdentity('kms:CreateKey', { entries });
    const { accountId, region } = call.keys.place;
    const policy = readKeyPolicy(input.Policy, { accountId, partition: partitionOf(region) });
    const record = {
      keyId: randomUUID(),
      keySpec: spec,
      keyUsage,
      description,
      creationDate: call.now,
      enabled: true,
      deletionDate: null,
    };
    if (!bypass) expectManageable(policy, record, call);
    const key = call.keys.save({ ...record, policy, tags, material: await generateMaterial(spec) });
    call.trace.keys.push(key);
    return { output: { KeyMetadata: describeKey(key, accountId) } };
  },
});

export const describeKeyOperation: Operation = defineOperation({
  isReadOnly: true,
  members: { KeyId: keyId, GrantTokens: grantTokens },
  run: (input, call) => {
    const key = call.useKey(input.KeyId, 'kms:DescribeKey');
    return { output: { KeyMetadata: describeKey(key, call.keys.place.accountId) } };
  },
});

export const listKeys: Operation = defineOperation({
  isReadOnly: true,
  members: { Limit: limit, Marker: marker },
  run: (input, call) => {
    call.authorizeIdentity('kms:ListKeys');
    const items = call.keys.keys.map((key) => ({ KeyId: key.keyId, KeyArn: key.arn }));
    return { output: pageOf(items, input, 'Keys') };
  },
});

function refusePending(key: KmsKey): void {
  if (stateOf(key) !== 'PendingDeletion') return;
  throw new KmsServiceError('KMSInvalidStateException', `${key.arn} is pending deletion.`);
}

export const enableKey: Operation = defineOperation({
  isReadOnly: false,
  members: { KeyId: keyId },
  run: (input, call) => {
    const key = call.useKey(input.KeyId, 'kms:EnableKey', { aliases: false });
    refusePending(key);
    call.keys.save({ ...key, enabled: true });
    return { output: {} };
  },
});

export const disableKey: Operation = defineOperation({
  isReadOnly: false,
  members: { KeyId: keyId },
  run: (input, call) => {
    const key = call.useKey(input.KeyId, 'kms:DisableKey', { aliases: false });
    refusePending(key);
    call.keys.save({ ...key, enabled: false });
    return { output: {} };
  },
});

export const scheduleKeyDeletion: Operation = defineOperation({
  isReadOnly: false,
  members: { KeyId: keyId, PendingWindowInDays: integer({ min: 1, max: 365 }) },
  run: (input, call) => {
    const { PendingWindowInDays: days = DEFAULT_WINDOW_DAYS } = input;
    const entries = { 'kms:ScheduleKeyDeletionPendingWindowInDays': String(days) };
    const key = call.useKey(input.KeyId, 'kms:ScheduleKeyDeletion', { aliases: false, entries });
    refusePending(key);
    if (days < MIN_WINDOW_DAYS || days > MAX_WINDOW_DAYS) {
      throw validationError(`PendingWindowInDays must be between ${MIN_WINDOW_DAYS} and ${MAX_WINDOW_DAYS}.`);
    }
    const deletionDate = call.now + days * DAY_MS;
    call.keys.save({ ...key, enabled: false, deletionDate });
    return {
      output: {
        KeyId: key.arn,
        DeletionDate: seconds(deletionDate),
        KeyState: 'PendingDeletion',
        PendingWindowInDays: days,
      },
    };
  },
});

export const cancelKeyDeletion: Operation = defineOperation({
  isReadOnly: false,
  members: { KeyId: keyId },
  run: (input, call) => {
    const key = call.useKey(input.KeyId, 'kms:CancelKeyDeletion', { aliases: false });
    if (stateOf(key) !== 'PendingDeletion') {
      throw new KmsServiceError('KMSInvalidStateException', `${key.arn} is not pending deletion.`);
    }
    // KMS leaves it disabled: whoever scheduled the deletion may have had a reason.
    call.keys.save({ ...key, enabled: false, deletionDate: null });
    return { output: { KeyId: key.arn } };
  },
});
