import assert from 'node:assert/strict';
import { createECDH, createPrivateKey, createPublicKey } from 'node:crypto';
import type { KMS } from '@aws-sdk/client-kms';

/** Options of one call: in ms. */
type CallOptions = { readonly requestTimeout: number };

/** What the operations work on. */
export interface Belongings {
  /** ARN of a symmetric key. */
  readonly keyArn: string;
  /** A data key of it, sealed and in the clear. */
  readonly sealed: Uint8Array;
  readonly opened: Uint8Array;
  /** ARN of a P-256 key for key agreement, the public key of a peer (SPKI), and the secret that both share. */
  readonly agreementKeyArn: string;
  readonly peerPublicKey: Uint8Array;
  readonly sharedSecret: Uint8Array;
}

/** One of the operations with a Recipient. */
export interface Operation {
  readonly name: string;
  /** Gives the secret of the answer. */
  call(client: KMS, belongings: Belongings, options: CallOptions): Promise<Uint8Array | undefined>;
  /** Rejects a secret that is not KMS's, as far as that can be told. */
  expectGenuine(secret: Uint8Array, belongings: Belongings): void;
}

const P256_POINT_BYTES = 65;
const DATA_KEY_BYTES = 32;

function expectLength(secret: Uint8Array): void {
  assert.equal(secret.length, DATA_KEY_BYTES);
}

/** The five operations. */
export const OPERATIONS: readonly Operation[] = [
  {
    name: 'Decrypt',
    call: async (client, { keyArn: KeyId, sealed: CiphertextBlob }, options) =>
      (await client.decrypt({ KeyId, CiphertextBlob }, options)).Plaintext,
    expectGenuine: (secret, { opened }) => assert.deepEqual(Buffer.from(secret), Buffer.from(opened)),
  },
  {
    name: 'GenerateDataKey',
    call: async (client, { keyArn: KeyId }, options) =>
      (await client.generateDataKey({ KeyId, KeySpec: 'AES_256' }, options)).Plaintext,
    expectGenuine: expectLength,
  },
  {
    name: 'GenerateDataKeyPair',
    call: async (client, { keyArn: KeyId }, options) => {
      const pair = await client.generateDataKeyPair({ KeyId, KeyPairSpec: 'ECC_NIST_P256' }, options);
      const pkcs8 = Buffer.from(pair.PrivateKeyPlaintext ?? []);
      const privateKey = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
      const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
      assert.deepEqual(Buffer.from(pair.PublicKey ?? []), spki);
      return pair.PrivateKeyPlaintext;
    },
    expectGenuine: (secret) => assert.ok(secret.length > 0),
  },
  {
    name: 'GenerateRandom',
    call: async (client, _, options) => (await client.generateRandom({ NumberOfBytes: 32 }, options)).Plaintext,
    expectGenuine: expectLength,
  },
  {
    name: 'DeriveSharedSecret',
    call: async (client, { agreementKeyArn: KeyId, peerPublicKey: PublicKey }, options) => {
      const agreement = { KeyId, KeyAgreementAlgorithm: 'ECDH', PublicKey } as const;
      return (await client.deriveSharedSecret(agreement, options)).SharedSecret;
    },
    expectGenuine: (secret, { sharedSecret }) => assert.deepEqual(Buffer.from(secret), Buffer.from(sharedSecret)),
  },
];

/** Prepares what the operations work on, while nothing goes wrong. */
export async function prepareBelongings(
  client: KMS,
  keys: { readonly keyArn: string; readonly agreementKeyArn: string },
): Promise<Belongings> {
  const { keyArn, agreementKeyArn } = keys;
  const dataKey = await client.generateDataKey({ KeyId: keyArn, KeySpec: 'AES_256' });
  const spki = Buffer.from((await client.getPublicKey({ KeyId: agreementKeyArn })).PublicKey ?? []);
  const head = spki.subarray(0, -P256_POINT_BYTES);
  const peer = createECDH('prime256v1');
  const peerPublicKey = Buffer.concat([head, peer.generateKeys()]);
  return {
    keyArn,
    agreementKeyArn,
    sealed: dataKey.CiphertextBlob ?? new Uint8Array(),
    opened: dataKey.Plaintext ?? new Uint8Array(),
    peerPublicKey,
    sharedSecret: peer.computeSecret(spki.subarray(head.length)),
  };
}
