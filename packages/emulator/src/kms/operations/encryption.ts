import type { KmsCall } from '../call.ts';
import { stopDryRun } from '../call.ts';
import type { EncryptionContext } from '../ciphertext.ts';
import { keyIdOfBlob, openBlob, sealBlob } from '../ciphertext.ts';
import { blob, flag, required, textMap } from '../input.ts';
import { keyMaterialId } from '../key-material.ts';
import type { KmsKey } from '../key-ring.ts';
import { expectUsable, expectUsage } from '../key-ring.ts';
import type { EncryptionAlgorithm } from '../key-spec.ts';
import { KEY_SPECS } from '../key-spec.ts';
import { openWithRsa, sealWithRsa } from '../rsa-encryption.ts';
import { KmsServiceError, validationError } from '../service-error.ts';
import type { Operation } from './operation.ts';
import {
  defineOperation,
  encryptionAlgorithm,
  grantTokens,
  keyId,
  optionalKeyId,
  recipientMember,
} from './operation.ts';

/** The asked-for algorithm, if the key has it. */
function expectAlgorithm(key: KmsKey, asked: string, action: string): EncryptionAlgorithm {
  expectUsage(key, 'ENCRYPT_DECRYPT', action);
  const algorithm = KEY_SPECS[key.keySpec].encryptionAlgorithms.find((one) => one === asked);
  if (algorithm !== undefined) return algorithm;
  throw new KmsServiceError(
    'InvalidKeyUsageException',
    `Algorithm ${asked} and key spec ${key.keySpec} are incompatible.`,
  );
}

/** RSA has no additional data to bind a context to. */
function refuseContext(algorithm: string, context: EncryptionContext): void {
  if (algorithm === 'SYMMETRIC_DEFAULT' || context.size === 0) return;
  throw validationError('EncryptionContext is not supported by asymmetric encryption algorithms.');
}

function seal(
  key: KmsKey,
  plaintext: Uint8Array,
  { algorithm, context }: { algorithm: EncryptionAlgorithm; context: EncryptionContext },
): Uint8Array {
  if (algorithm === 'SYMMETRIC_DEFAULT') return sealBlob(key, plaintext, context);
  return sealWithRsa(key, plaintext, algorithm);
}

function open(
  key: KmsKey,
  ciphertext: Uint8Array,
  { algorithm, context }: { algorithm: EncryptionAlgorithm; context: EncryptionContext },
): Uint8Array {
  if (algorithm === 'SYMMETRIC_DEFAULT') return openBlob(key, ciphertext, context);
  return openWithRsa(key, ciphertext, algorithm);
}

/** What has to be known to find the key of a ciphertext. */
interface Sealed {
  readonly ciphertext: Uint8Array;
  readonly keyId: string | undefined;
  readonly algorithm: string;
}

/** Whether there is such a key, or may not be used: told apart only to those who may (AWS's one sentence for both). */
function hiddenKey(): KmsServiceError {
  return new KmsServiceError(
    'AccessDeniedException',
    'The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.',
  );
}

/**
 * The key that a ciphertext has to be opened with: the one that the request names, and that the blob names too.
 * @throws {KmsServiceError} `IncorrectKeyException`, `InvalidCiphertextException`, `AccessDeniedException`
 */
function keyOfCiphertext(
  { keys }: KmsCall,
  { ciphertext, keyId: named, algorithm }: Sealed,
): { key: KmsKey; text: string } {
  if (algorithm !== 'SYMMETRIC_DEFAULT') {
    if (named === undefined) throw validationError('KeyId is required to decrypt with an asymmetric KMS key.');
    return { key: keys.resolve({ text: named, allowAlias: true }), text: named };
  }
  const key = named === undefined ? undefined : keys.resolve({ text: named, allowAlias: true });
  if (key !== undefined && key.keySpec !== 'SYMMETRIC_DEFAULT') return { key, text: named ?? key.keyId };
  const sealedUnder = keyIdOfBlob(ciphertext);
  if (key !== undefined && key.keyId !== sealedUnder) {
    throw new KmsServiceError(
      'IncorrectKeyException',
      'The key ID in the request does not identify a CMK that can perform this operation.',
    );
  }
  const found = key ?? keys.get(sealedUnder);
  if (found === undefined) throw hiddenKey();
  return { key: found, text: named ?? found.keyId };
}

const DEFAULT_ALGORITHM = 'SYMMETRIC_DEFAULT';

export const encrypt: Operation = defineOperation({
  isReadOnly: true,
  members: {
    KeyId: keyId,
    Plaintext: required(blob({ min: 1, max: 4096 })),
    EncryptionContext: textMap,
    EncryptionAlgorithm: encryptionAlgorithm,
    GrantTokens: grantTokens,
    DryRun: flag,
  },
  run: (input, call) => {
    const { EncryptionContext: context, EncryptionAlgorithm: asked = DEFAULT_ALGORITHM } = input;
    const entries = { 'kms:EncryptionAlgorithm': asked };
    const key = call.useKey(input.KeyId, 'kms:Encrypt', { entries, encryptionContext: context });
    expectUsable(key);
    const algorithm = expectAlgorithm(key, asked, 'Encrypt');
    refuseContext(algorithm, context);
    stopDryRun(input.DryRun);
    return {
      output: {
        CiphertextBlob: seal(key, input.Plaintext, { algorithm, context }),
        KeyId: key.arn,
        EncryptionAlgorithm: algorithm,
      },
    };
  },
});

export const decrypt: Operation = defineOperation({
  isReadOnly: true,
  members: {
    CiphertextBlob: required(blob({ min: 1, max: 6144 })),
    EncryptionContext: textMap,
    KeyId: optionalKeyId,
    EncryptionAlgorithm: encryptionAlgorithm,
    Recipient: recipientMember,
    GrantTokens: grantTokens,
    DryRun: flag,
  },
  run: async (input, call) => {
    const {
      CiphertextBlob: ciphertext,
      EncryptionContext: context,
      EncryptionAlgorithm: asked = DEFAULT_ALGORITHM,
    } = input;
    const recipient = await call.admit(input.Recipient);
    const found = keyOfCiphertext(call, { ciphertext, keyId: input.KeyId, algorithm: asked });
    const entries = { 'kms:EncryptionAlgorithm': asked };
    const key = call.useKey(found.text, 'kms:Decrypt', { entries, encryptionContext: context, recipient });
    expectUsable(key);
    const algorithm = expectAlgorithm(key, asked, 'Decrypt');
    refuseContext(algorithm, context);
    stopDryRun(input.DryRun);
    const content = open(key, ciphertext, { algorithm, context });
    const keyMaterial = algorithm === 'SYMMETRIC_DEFAULT' ? keyMaterialId(key.keyId) : undefined;
    return {
      output: { KeyId: key.arn, EncryptionAlgorithm: algorithm, KeyMaterialId: keyMaterial },
      secret: { member: 'Plaintext', content, recipient },
    };
  },
});

export const reEncrypt: Operation = defineOperation({
  isReadOnly: true,
  members: {
    CiphertextBlob: required(blob({ min: 1, max: 6144 })),
    SourceEncryptionContext: textMap,
    SourceKeyId: optionalKeyId,
    DestinationKeyId: keyId,
    DestinationEncryptionContext: textMap,
    SourceEncryptionAlgorithm: encryptionAlgorithm,
    DestinationEncryptionAlgorithm: encryptionAlgorithm,
    GrantTokens: grantTokens,
    DryRun: flag,
  },
  run: (input, call) => {
    const {
      CiphertextBlob: ciphertext,
      SourceEncryptionAlgorithm: from = DEFAULT_ALGORITHM,
      DestinationEncryptionAlgorithm: to = DEFAULT_ALGORITHM,
    } = input;
    const { SourceEncryptionContext: oldContext, DestinationEncryptionContext: newContext } = input;
    const found = keyOfCiphertext(call, { ciphertext, keyId: input.SourceKeyId, algorithm: from });
    const { keyId: destinationId } = call.keys.resolve({ text: input.DestinationKeyId, allowAlias: true });
    const sameKey = { 'kms:ReEncryptOnSameKey': String(found.key.keyId === destinationId) };
    const fromEntries = { ...sameKey, 'kms:EncryptionAlgorithm': from };
    const source = call.useKey(found.text, 'kms:ReEncryptFrom', {
      entries: fromEntries,
      encryptionContext: oldContext,
    });
    const toEntries = { ...sameKey, 'kms:EncryptionAlgorithm': to };
    const destination = call.useKey(input.DestinationKeyId, 'kms:ReEncryptTo', {
      entries: toEntries,
      encryptionContext: newContext,
    });
    expectUsable(source);
    expectUsable(destination);
    const sourceAlgorithm = expectAlgorithm(source, from, 'ReEncrypt');
    const destinationAlgorithm = expectAlgorithm(destination, to, 'ReEncrypt');
    refuseContext(sourceAlgorithm, oldContext);
    refuseContext(destinationAlgorithm, newContext);
    stopDryRun(input.DryRun);
    const plaintext = open(source, ciphertext, { algorithm: sourceAlgorithm, context: oldContext });
    const sealed = seal(destination, plaintext, { algorithm: destinationAlgorithm, context: newContext });
    plaintext.fill(0);
    return {
      output: {
        CiphertextBlob: sealed,
        SourceKeyId: source.arn,
        KeyId: destination.arn,
        SourceEncryptionAlgorithm: sourceAlgorithm,
        DestinationEncryptionAlgorithm: destinationAlgorithm,
      },
    };
  },
});
