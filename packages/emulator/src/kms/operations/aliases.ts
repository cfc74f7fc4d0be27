import type { KmsCall } from '../call.ts';
import { required, text } from '../input.ts';
import type { KmsAlias, KmsKey } from '../key-ring.ts';
import { stateOf } from '../key-ring.ts';
import { KmsServiceError, validationError } from '../service-error.ts';
import type { Operation, Output } from './operation.ts';
import { defineOperation, keyId, limit, marker, optionalKeyId } from './operation.ts';
import { pageOf } from './page.ts';

const aliasName = required(text({ min: 1, max: 256 }, /^[a-zA-Z0-9:/_-]+$/));

function expectAliasName(name: string): void {
  if (!name.startsWith('alias/') || name === 'alias/') {
    throw validationError('Invalid identifier');
  }
  if (name.includes(':'))
    throw new KmsServiceError('InvalidAliasNameException', `${name} contains invalid characters for an alias`);
}

/** `alias/aws/` names the keys that AWS itself manages. */
function expectOwnAlias(name: string): void {
  if (!name.startsWith('alias/aws/')) return;
  throw new KmsServiceError('NotAuthorizedException');
}

/** Both the alias and the key have to allow it: the alias through IAM, the key through its policy. */
function authorizeBoth(call: KmsCall, name: string, { key, action }: { key: KmsKey; action: string }): void {
  call.authorizeIdentity(action, { resource: call.keys.aliasArn(name) });
  call.authorizeKey(key, action);
}

function resolveTarget({ keys }: KmsCall, target: string): KmsKey {
  if (/(?:^|:)alias\//.test(target)) throw validationError('Aliases must refer to keys. Not aliases');
  return keys.resolve({ text: target, allowAlias: false });
}

function expectTarget(key: KmsKey): void {
  if (stateOf(key) !== 'PendingDeletion') return;
  throw new KmsServiceError('KMSInvalidStateException', `${key.arn} is pending deletion.`);
}

export const createAlias: Operation = defineOperation({
  isReadOnly: false,
  members: { AliasName: aliasName, TargetKeyId: keyId },
  run: (input, call) => {
    const { AliasName: name, TargetKeyId: target } = input;
    expectAliasName(name);
    expectOwnAlias(name);
    const key = resolveTarget(call, target);
    authorizeBoth(call, name, { key, action: 'kms:CreateAlias' });
    expectTarget(key);
    const existing = call.keys.alias(name);
    if (existing !== undefined) {
      throw new KmsServiceError('AlreadyExistsException', `An alias with the name ${existing.arn} already exists`);
    }
    call.keys.saveAlias({ name, keyId: key.keyId, creationDate: call.now, lastUpdatedDate: call.now });
    return { output: {} };
  },
});

/** An alias may move to a key of the same kind only: what was encrypted must not be signed with. */
function expectSameKind(old: KmsKey | undefined, key: KmsKey): void {
  if (
    old === undefined ||
    (old.keyUsage === key.keyUsage && (old.keySpec === 'SYMMETRIC_DEFAULT') === (key.keySpec === 'SYMMETRIC_DEFAULT'))
  )
    return;
  throw validationError(
    `Alias cannot be changed from a key of ${old.keySpec} and ${old.keyUsage} to one of ${key.keySpec} and ${key.keyUsage}.`,
  );
}

export const updateAlias: Operation = defineOperation({
  isReadOnly: false,
  members: { AliasName: aliasName, TargetKeyId: keyId },
  run: (input, call) => {
    const { AliasName: name, TargetKeyId: target } = input;
    expectAliasName(name);
    const alias = call.expectAlias(name);
    const key = resolveTarget(call, target);
    authorizeBoth(call, name, { key, action: 'kms:UpdateAlias' });
    const old = call.keys.get(alias.keyId);
    if (old !== undefined) call.authorizeKey(old, 'kms:UpdateAlias');
    expectTarget(key);
    expectSameKind(old, key);
    call.keys.saveAlias({ ...alias, keyId: key.keyId, lastUpdatedDate: call.now });
    return { output: {} };
  },
});

export const deleteAlias: Operation = defineOperation({
  isReadOnly: false,
  members: { AliasName: aliasName },
  run: (input, call) => {
    const { AliasName: name } = input;
    expectAliasName(name);
    const alias = call.expectAlias(name);
    call.authorizeIdentity('kms:DeleteAlias', { resource: alias.arn });
    const key = call.keys.get(alias.keyId);
    if (key !== undefined) call.authorizeKey(key, 'kms:DeleteAlias');
    call.keys.deleteAlias(name);
    return { output: {} };
  },
});

function describeAlias({ name, arn, keyId: target, creationDate, lastUpdatedDate }: KmsAlias): Output {
  return {
    AliasName: name,
    AliasArn: arn,
    TargetKeyId: target,
    CreationDate: creationDate / 1000,
    LastUpdatedDate: lastUpdatedDate / 1000,
  };
}

export const listAliases: Operation = defineOperation({
  isReadOnly: true,
  members: { KeyId: optionalKeyId, Limit: limit, Marker: marker },
  run: (input, call) => {
    call.authorizeIdentity('kms:ListAliases');
    const only =
      input.KeyId === undefined ? undefined : call.keys.resolve({ text: input.KeyId, allowAlias: false }).keyId;
    const aliases = call.keys.aliases.filter((alias) => only === undefined || alias.keyId === only);
    return { output: pageOf(aliases.map(describeAlias), input, 'Aliases') };
  },
});
