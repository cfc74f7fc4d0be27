import { stopDryRun } from '../call.ts';
import { blob, flag, oneOf, required } from '../input.ts';
import { publicKeyOf } from '../key-material.ts';
import type { KmsKey } from '../key-ring.ts';
import { expectUsable, expectUsage } from '../key-ring.ts';
import type { SigningAlgorithm } from '../key-spec.ts';
import { algorithmsOf, KEY_SPECS } from '../key-spec.ts';
import { KmsServiceError, validationError } from '../service-error.ts';
import { digestBytes, digestFor, signDigest, verifyDigest } from '../signature.ts';
import type { Operation, Output } from './operation.ts';
import { defineOperation, grantTokens, keyId } from './operation.ts';

const SIGNING_ALGORITHMS = [
  ...['RSASSA_PSS_SHA_256', 'RSASSA_PSS_SHA_384', 'RSASSA_PSS_SHA_512'],
  ...['RSASSA_PKCS1_V1_5_SHA_256', 'RSASSA_PKCS1_V1_5_SHA_384', 'RSASSA_PKCS1_V1_5_SHA_512'],
  ...[
    'ECDSA_SHA_256',
    'ECDSA_SHA_384',
    'ECDSA_SHA_512',
    'SM2DSA',
    'ML_DSA_SHAKE_256',
    'ED25519_SHA_512',
    'ED25519_PH_SHA_512',
  ],
];

const SIGNING_MEMBERS = {
  KeyId: keyId,
  Message: required(blob({ min: 1, max: 4096 })),
  MessageType: oneOf(['RAW', 'DIGEST', 'EXTERNAL_MU']),
  SigningAlgorithm: required(oneOf(SIGNING_ALGORITHMS)),
  GrantTokens: grantTokens,
  DryRun: flag,
} as const;

function expectAlgorithm(key: KmsKey, asked: string, action: string): SigningAlgorithm {
  expectUsage(key, 'SIGN_VERIFY', action);
  const algorithm = KEY_SPECS[key.keySpec].signingAlgorithms.find((one) => one === asked);
  if (algorithm !== undefined) return algorithm;
  throw new KmsServiceError(
    'InvalidKeyUsageException',
    `Algorithm ${asked} and key spec ${key.keySpec} are incompatible.`,
  );
}

function readDigest(message: Uint8Array, type: string, algorithm: SigningAlgorithm): Uint8Array {
  if (type === 'RAW') return digestFor(algorithm, message);
  if (type !== 'DIGEST') throw validationError(`MessageType ${type} is not valid for ${algorithm}.`);
  if (message.length === digestBytes(algorithm)) return message;
  throw validationError(`Digest is invalid length for algorithm ${algorithm}.`);
}

function contextEntries({
  SigningAlgorithm: algorithm,
  MessageType: type = 'RAW',
}: {
  SigningAlgorithm: string;
  MessageType: string | undefined;
}) {
  return { 'kms:SigningAlgorithm': algorithm, 'kms:MessageType': type };
}

export const sign: Operation = defineOperation({
  isReadOnly: true,
  members: SIGNING_MEMBERS,
  run: (input, call) => {
    const key = call.useKey(input.KeyId, 'kms:Sign', { entries: contextEntries(input) });
    expectUsable(key);
    const algorithm = expectAlgorithm(key, input.SigningAlgorithm, 'Sign');
    const digest = readDigest(input.Message, input.MessageType ?? 'RAW', algorithm);
    stopDryRun(input.DryRun);
    return { output: { KeyId: key.arn, Signature: signDigest(key, digest, algorithm), SigningAlgorithm: algorithm } };
  },
});

export const verify: Operation = defineOperation({
  isReadOnly: true,
  members: { ...SIGNING_MEMBERS, Signature: required(blob({ min: 1, max: 6144 })) },
  run: (input, call) => {
    const key = call.useKey(input.KeyId, 'kms:Verify', { entries: contextEntries(input) });
    expectUsable(key);
    const algorithm = expectAlgorithm(key, input.SigningAlgorithm, 'Verify');
    const digest = readDigest(input.Message, input.MessageType ?? 'RAW', algorithm);
    stopDryRun(input.DryRun);
    if (!verifyDigest(key, { digest, signature: input.Signature }, algorithm)) {
      throw new KmsServiceError('KMSInvalidSignatureException');
    }
    return { output: { KeyId: key.arn, SignatureValid: true, SigningAlgorithm: algorithm } };
  },
});

function describePublicKey(key: KmsKey): Output {
  const { encryption, signing } = algorithmsOf(key.keySpec, key.keyUsage);
  return {
    KeyId: key.arn,
    PublicKey: publicKeyOf(key.material),
    CustomerMasterKeySpec: key.keySpec,
    KeySpec: key.keySpec,
    KeyUsage: key.keyUsage,
    EncryptionAlgorithms: encryption.length === 0 ? undefined : encryption,
    SigningAlgorithms: signing.length === 0 ? undefined : signing,
    KeyAgreementAlgorithms: key.keyUsage === 'KEY_AGREEMENT' ? ['ECDH'] : undefined,
  };
}

export const getPublicKey: Operation = defineOperation({
  isReadOnly: true,
  members: { KeyId: keyId, GrantTokens: grantTokens },
  run: (input, call) => {
    const key = call.useKey(input.KeyId, 'kms:GetPublicKey');
    expectUsable(key);
    if (key.keySpec === 'SYMMETRIC_DEFAULT') {
      throw new KmsServiceError(
        'UnsupportedOperationException',
        `${key.arn} is a symmetric key: it has no public key.`,
      );
    }
    return { output: describePublicKey(key) };
  },
});
