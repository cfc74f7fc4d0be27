import { deriveSharedSecret } from './agreement.ts';
import { createAlias, deleteAlias, listAliases, updateAlias } from './aliases.ts';
import {
  generateDataKey,
  generateDataKeyPair,
  generateDataKeyPairWithoutPlaintext,
  generateDataKeyWithoutPlaintext,
  generateRandom,
} from './data-keys.ts';
import { decrypt, encrypt, reEncrypt } from './encryption.ts';
import { getKeyPolicy, listKeyPolicies, putKeyPolicy } from './key-policies.ts';
import {
  cancelKeyDeletion,
  createKey,
  describeKeyOperation,
  disableKey,
  enableKey,
  listKeys,
  scheduleKeyDeletion,
} from './keys.ts';
import type { Operation } from './operation.ts';
import { getPublicKey, sign, verify } from './signing.ts';

/** Every operation by its name, which follows `TrentService.` in `X-Amz-Target`. */
export const OPERATIONS: ReadonlyMap<string, Operation> = new Map([
  ['CancelKeyDeletion', cancelKeyDeletion],
  ['CreateAlias', createAlias],
  ['CreateKey', createKey],
  ['Decrypt', decrypt],
  ['DeleteAlias', deleteAlias],
  ['DeriveSharedSecret', deriveSharedSecret],
  ['DescribeKey', describeKeyOperation],
  ['DisableKey', disableKey],
  ['EnableKey', enableKey],
  ['Encrypt', encrypt],
  ['GenerateDataKey', generateDataKey],
  ['GenerateDataKeyPair', generateDataKeyPair],
  ['GenerateDataKeyPairWithoutPlaintext', generateDataKeyPairWithoutPlaintext],
  ['GenerateDataKeyWithoutPlaintext', generateDataKeyWithoutPlaintext],
  ['GenerateRandom', generateRandom],
  ['GetKeyPolicy', getKeyPolicy],
  ['GetPublicKey', getPublicKey],
  ['ListAliases', listAliases],
  ['ListKeyPolicies', listKeyPolicies],
  ['ListKeys', listKeys],
  ['PutKeyPolicy', putKeyPolicy],
  ['ReEncrypt', reEncrypt],
  ['ScheduleKeyDeletion', scheduleKeyDeletion],
  ['Sign', sign],
  ['UpdateAlias', updateAlias],
  ['Verify', verify],
]);
