import type { SecretCheck } from './secret-checks.ts';
import { checkAnyLength, checkDataKey, checkKeyPair, checkRandom, checkSharedSecret } from './secret-checks.ts';

/** One of the operations that take a Recipient (KMS API reference, "RecipientInfo"). */
export interface RecipientOperation {
  /** The output field that KMS leaves empty and the plugin fills. */
  readonly secretField: 'Plaintext' | 'PrivateKeyPlaintext' | 'SharedSecret';
  /** Whether input and output name a KMS key. */
  readonly hasKey: boolean;
  /** Throws unless the secret is of the kind and length that the input asked for. */
  readonly check: SecretCheck;
}

/** By the SDK's command name. Any other command passes through untouched. */
export const RECIPIENT_OPERATIONS: ReadonlyMap<string, RecipientOperation> = new Map<string, RecipientOperation>([
  ['DecryptCommand', { secretField: 'Plaintext', hasKey: true, check: checkAnyLength }],
  ['GenerateDataKeyCommand', { secretField: 'Plaintext', hasKey: true, check: checkDataKey }],
  ['GenerateDataKeyPairCommand', { secretField: 'PrivateKeyPlaintext', hasKey: true, check: checkKeyPair }],
  ['GenerateRandomCommand', { secretField: 'Plaintext', hasKey: false, check: checkRandom }],
  ['DeriveSharedSecretCommand', { secretField: 'SharedSecret', hasKey: true, check: checkSharedSecret }],
]);
