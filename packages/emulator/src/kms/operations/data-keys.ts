import { randomBytes } from 'node:crypto';
import type { KmsCall } from '../call.ts';
import { stopDryRun } from '../call.ts';
import type { EncryptionContext } from '../ciphertext.ts';
import { sealBlob } from '../ciphertext.ts';
import type { InputOf } from '../input.ts';
import { flag, integer, oneOf, required, text, textMap } from '../input.ts';
import type { EncodedKeyPair } from '../key-material.ts';
import { generateEncodedKeyPair, keyMaterialId } from '../key-material.ts';
import type { KmsKey } from '../key-ring.ts';
import { expectSymmetric, expectUsable } from '../key-ring.ts';
import type { KeyPairSpec } from '../key-spec.ts';
import { FOREIGN_KEY_SPECS, KEY_SPECS } from '../key-spec.ts';
import type { Recipient } from '../recipient/document.ts';
import { KmsServiceError, validationError } from '../service-error.ts';
import type { Operation } from './operation.ts';
import { defineOperation, grantTokens, keyId, recipientMember } from './operation.ts';

const DATA_KEY_BYTES = { AES_128: 16, AES_256: 32 } as const;

const DATA_KEY_MEMBERS = {
  KeyId: keyId,
  EncryptionContext: textMap,
  NumberOfBytes: integer({ min: 1, max: 1024 }),
  KeySpec: oneOf(['AES_256', 'AES_128']),
  GrantTokens: grantTokens,
  DryRun: flag,
} as const;

const PAIR_SPECS = Object.keys(KEY_SPECS).filter((spec): spec is KeyPairSpec => spec !== 'SYMMETRIC_DEFAULT');

const PAIR_MEMBERS = {
  KeyId: keyId,
  EncryptionContext: textMap,
  KeyPairSpec: required(oneOf([...PAIR_SPECS, ...FOREIGN_KEY_SPECS])),
  GrantTokens: grantTokens,
  DryRun: flag,
} as const;

/** One of KeySpec and NumberOfBytes, not both: AWS's own sentence. */
function lengthOf({
  KeySpec: spec,
  NumberOfBytes: count,
}: {
  KeySpec: 'AES_256' | 'AES_128' | undefined;
  NumberOfBytes: number | undefined;
}): number {
  if (spec !== undefined && count === undefined) return DATA_KEY_BYTES[spec];
  if (count !== undefined && spec === undefined) return count;
  throw validationError('Please specify either number of bytes or key spec.');
}

interface WrappingUse {
  readonly action: string;
  readonly context: EncryptionContext;
  readonly recipient?: Recipient | null;
  readonly pairSpec?: string;
}

/** The symmetric key that a data key is encrypted under. */
function useWrappingKey(
  call: KmsCall,
  text: string,
  { action, context, recipient = null, pairSpec }: WrappingUse,
): KmsKey {
  const entries = { 'kms:EncryptionAlgorithm': 'SYMMETRIC_DEFAULT', 'kms:DataKeyPairSpec': pairSpec };
  const key = call.useKey(text, `kms:${action}`, { entries, encryptionContext: context, recipient });
  expectUsable(key);
  expectSymmetric(key, action);
  return key;
}

export const generateDataKey: Operation = defineOperation({
  isReadOnly: true,
  members: { ...DATA_KEY_MEMBERS, Recipient: recipientMember },
  run: async (input, call) => {
    const length = lengthOf(input);
    const { EncryptionContext: context } = input;
    const recipient = await call.admit(input.Recipient);
    const key = useWrappingKey(call, input.KeyId, { action: 'GenerateDataKey', context, recipient });
    stopDryRun(input.DryRun);
    const content = randomBytes(length);
    return {
      output: {
        CiphertextBlob: sealBlob(key, content, context),
        KeyId: key.arn,
        KeyMaterialId: keyMaterialId(key.keyId),
      },
      secret: { member: 'Plaintext', content, recipient, wrapped: { member: 'CiphertextBlob', context } },
    };
  },
});

export const generateDataKeyWithoutPlaintext: Operation = defineOperation({
  isReadOnly: true,
  members: DATA_KEY_MEMBERS,
  run: (input, call) => {
    const length = lengthOf(input);
    const { EncryptionContext: context } = input;
    const key = useWrappingKey(call, input.KeyId, { action: 'GenerateDataKeyWithoutPlaintext', context });
    stopDryRun(input.DryRun);
    const content = randomBytes(length);
    const sealed = sealBlob(key, content, context);
    content.fill(0);
    return { output: { CiphertextBlob: sealed, KeyId: key.arn, KeyMaterialId: keyMaterialId(key.keyId) } };
  },
});

function expectPairSpec(asked: string): KeyPairSpec {
  const spec = PAIR_SPECS.find((one) => one === asked);
  if (spec !== undefined) return spec;
  throw new KmsServiceError('UnsupportedOperationException', `KeyPairSpec ${asked} is not emulated.`);
}

async function makePair(
  input: InputOf<typeof PAIR_MEMBERS>,
  call: KmsCall,
  { action, recipient = null }: { action: string; recipient?: Recipient | null },
): Promise<{ pair: EncodedKeyPair; output: Readonly<Record<string, string | Uint8Array>> }> {
  const { EncryptionContext: context, KeyPairSpec: asked } = input;
  const key = useWrappingKey(call, input.KeyId, { action, context, recipient, pairSpec: asked });
  const spec = expectPairSpec(asked);
  stopDryRun(input.DryRun);
  const pair = await generateEncodedKeyPair(spec);
  const output = {
    PrivateKeyCiphertextBlob: sealBlob(key, pair.privateKey, context),
    PublicKey: pair.publicKey,
    KeyId: key.arn,
    KeyPairSpec: spec,
    KeyMaterialId: keyMaterialId(key.keyId),
  };
  return { pair, output };
}

export const generateDataKeyPair: Operation = defineOperation({
  isReadOnly: true,
  members: { ...PAIR_MEMBERS, Recipient: recipientMember },
  run: async (input, call) => {
    const recipient = await call.admit(input.Recipient);
    const { pair, output } = await makePair(input, call, { action: 'GenerateDataKeyPair', recipient });
    const wrapped = { member: 'PrivateKeyCiphertextBlob', context: input.EncryptionContext } as const;
    return { output, secret: { member: 'PrivateKeyPlaintext', content: pair.privateKey, recipient, wrapped } };
  },
});

export const generateDataKeyPairWithoutPlaintext: Operation = defineOperation({
  isReadOnly: true,
  members: PAIR_MEMBERS,
  run: async (input, call) => {
    const { pair, output } = await makePair(input, call, { action: 'GenerateDataKeyPairWithoutPlaintext' });
    pair.privateKey.fill(0);
    return { output };
  },
});

export const generateRandom: Operation = defineOperation({
  isReadOnly: true,
  members: {
    NumberOfBytes: integer({ min: 1, max: 1024 }),
    CustomKeyStoreId: text({ min: 1, max: 64 }),
    Recipient: recipientMember,
  },
  run: async (input, call) => {
    if (input.CustomKeyStoreId !== undefined) {
      throw new KmsServiceError('UnsupportedOperationException', 'Custom key stores are not emulated.');
    }
    if (input.NumberOfBytes === undefined) throw validationError('NumberOfBytes is required.');
    const recipient = await call.admit(input.Recipient);
    call.authorizeIdentity('kms:GenerateRandom', { recipient });
    return { output: {}, secret: { member: 'Plaintext', content: randomBytes(input.NumberOfBytes), recipient } };
  },
});
