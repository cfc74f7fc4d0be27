import type { KeyObject } from 'node:crypto';
import { createPublicKey, diffieHellman } from 'node:crypto';
import { stopDryRun } from '../call.ts';
import { blob, flag, oneOf, required } from '../input.ts';
import { privateKeyOf } from '../key-material.ts';
import type { KmsKey } from '../key-ring.ts';
import { expectUsable, expectUsage } from '../key-ring.ts';
import { validationError } from '../service-error.ts';
import type { Operation } from './operation.ts';
import { defineOperation, grantTokens, keyId, recipientMember } from './operation.ts';

/** The other party's key: on the curve of ours, or the agreement would be none. */
function readPeerKey(encoded: Uint8Array, own: KeyObject): KeyObject {
  try {
    const key = createPublicKey({ key: Buffer.from(encoded), format: 'der', type: 'spki' });
    if (key.asymmetricKeyDetails?.namedCurve === own.asymmetricKeyDetails?.namedCurve && key.asymmetricKeyType === 'ec')
      return key;
  } catch {
    throw validationError('The PublicKey is not a DER-encoded X.509 public key (SubjectPublicKeyInfo).');
  }
  throw validationError('The PublicKey is not on the curve of the KMS key.');
}

function agree(key: KmsKey, encodedPeerKey: Uint8Array): Uint8Array {
  const privateKey = privateKeyOf(key.material);
  return diffieHellman({ privateKey, publicKey: readPeerKey(encodedPeerKey, privateKey) });
}

export const deriveSharedSecret: Operation = defineOperation({
  isReadOnly: true,
  members: {
    KeyId: keyId,
    KeyAgreementAlgorithm: required(oneOf(['ECDH'])),
    PublicKey: required(blob({ min: 1, max: 8192 })),
    Recipient: recipientMember,
    GrantTokens: grantTokens,
    DryRun: flag,
  },
  run: async (input, call) => {
    const recipient = await call.admit(input.Recipient);
    const entries = { 'kms:KeyAgreementAlgorithm': input.KeyAgreementAlgorithm };
    const key = call.useKey(input.KeyId, 'kms:DeriveSharedSecret', { entries, recipient });
    expectUsable(key);
    expectUsage(key, 'KEY_AGREEMENT', 'DeriveSharedSecret');
    stopDryRun(input.DryRun);
    const content = agree(key, input.PublicKey);
    return {
      output: { KeyId: key.arn, KeyAgreementAlgorithm: 'ECDH', KeyOrigin: 'AWS_KMS' },
      secret: { member: 'SharedSecret', content, recipient },
    };
  },
});
