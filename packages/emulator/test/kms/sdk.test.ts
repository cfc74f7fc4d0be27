import {
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  sign as signWith,
  verify as verifyWith,
} from 'node:crypto';
import type { KMSClient } from '@aws-sdk/client-kms';
import {
  CreateAliasCommand,
  CreateKeyCommand,
  DecryptCommand,
  DeriveSharedSecretCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  GenerateDataKeyPairCommand,
  GenerateRandomCommand,
  GetPublicKeyCommand,
} from '@aws-sdk/client-kms';
import type { EmulatedKms, NitroPki } from '@nitro-enclaves/emulator';
import { createNitroPki, startEmulatedKms } from '@nitro-enclaves/emulator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openForEnclave, recipientOf } from './enclave.ts';
import { clientOf } from './sdk.ts';

let pki: NitroPki;
let kms: EmulatedKms;
let client: KMSClient;
let keyId: string;

beforeAll(async () => {
  pki = await createNitroPki();
  kms = await startEmulatedKms({ attestation: { roots: [pki.rootCertificate] } });
  client = clientOf(kms);
  const { KeyMetadata } = await client.send(new CreateKeyCommand({ Description: 'orders' }));
  keyId = KeyMetadata?.KeyId ?? '';
});

afterAll(async () => {
  client.destroy();
  await kms.close();
});

describe('the unmodified AWS SDK', () => {
  it('encrypts and decrypts under a symmetric key and a context', async () => {
    const Plaintext = Buffer.from('a secret');
    const EncryptionContext = { tenant: 'a', purpose: 'orders' };
    const { CiphertextBlob } = await client.send(new EncryptCommand({ KeyId: keyId, Plaintext, EncryptionContext }));
    const answer = await client.send(new DecryptCommand({ CiphertextBlob, EncryptionContext }));
    expect(Buffer.from(answer.Plaintext ?? [])).toEqual(Plaintext);
    expect(answer.KeyId).toBe(`arn:aws:kms:us-east-1:111122223333:key/${keyId}`);
  });

  it('gets a data key for the recipient, which Decrypt gives again', async () => {
    const Recipient = await recipientOf(pki);
    const made = await client.send(new GenerateDataKeyCommand({ KeyId: keyId, KeySpec: 'AES_256', Recipient }));
    expect(made.Plaintext).toBeUndefined();
    const dataKey = openForEnclave(made.CiphertextForRecipient);
    expect(dataKey).toHaveLength(32);
    const again = await client.send(new DecryptCommand({ CiphertextBlob: made.CiphertextBlob, Recipient }));
    expect(again.Plaintext).toBeUndefined();
    expect(openForEnclave(again.CiphertextForRecipient)).toEqual(dataKey);
  });

  it('gets random bytes for the recipient', async () => {
    const answer = await client.send(
      new GenerateRandomCommand({ NumberOfBytes: 33, Recipient: await recipientOf(pki) }),
    );
    expect(answer.Plaintext).toBeUndefined();
    expect(openForEnclave(answer.CiphertextForRecipient)).toHaveLength(33);
  });

  it('gets a key pair for the recipient, whose halves belong together', async () => {
    const Recipient = await recipientOf(pki);
    const answer = await client.send(
      new GenerateDataKeyPairCommand({ KeyId: keyId, KeyPairSpec: 'ECC_NIST_P384', Recipient }),
    );
    expect(answer.PrivateKeyPlaintext).toBeUndefined();
    const encoded = Buffer.from(openForEnclave(answer.CiphertextForRecipient));
    const privateKey = createPrivateKey({ key: encoded, format: 'der', type: 'pkcs8' });
    const publicKey = createPublicKey({ key: Buffer.from(answer.PublicKey ?? []), format: 'der', type: 'spki' });
    const signature = signWith('sha384', Buffer.from('message'), privateKey);
    expect(verifyWith('sha384', Buffer.from('message'), publicKey, signature)).toBe(true);
    const again = await client.send(new DecryptCommand({ CiphertextBlob: answer.PrivateKeyCiphertextBlob, Recipient }));
    expect(openForEnclave(again.CiphertextForRecipient)).toEqual(encoded);
  });

  it('derives the secret that the other side derives', async () => {
    const { KeyMetadata } = await client.send(
      new CreateKeyCommand({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'KEY_AGREEMENT' }),
    );
    const KeyId = KeyMetadata?.KeyId;
    const { PublicKey } = await client.send(new GetPublicKeyCommand({ KeyId }));
    const peer = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const encoded = peer.publicKey.export({ type: 'spki', format: 'der' });
    const answer = await client.send(
      new DeriveSharedSecretCommand({
        KeyId,
        KeyAgreementAlgorithm: 'ECDH',
        PublicKey: encoded,
        Recipient: await recipientOf(pki),
      }),
    );
    const publicKey = createPublicKey({ key: Buffer.from(PublicKey ?? []), format: 'der', type: 'spki' });
    expect(answer.SharedSecret).toBeUndefined();
    expect(openForEnclave(answer.CiphertextForRecipient)).toEqual(
      diffieHellman({ privateKey: peer.privateKey, publicKey }),
    );
  });

  it('knows a key by its alias', async () => {
    await client.send(new CreateAliasCommand({ AliasName: 'alias/orders', TargetKeyId: keyId }));
    const { KeyId } = await client.send(new EncryptCommand({ KeyId: 'alias/orders', Plaintext: Buffer.from('x') }));
    expect(KeyId).toContain(keyId);
  });
});
