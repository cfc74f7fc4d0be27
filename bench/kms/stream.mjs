// A stream encrypted and decrypted: ours, the AWS Encryption SDK alone with its own defaults, and raw AES-256-GCM of OpenSSL.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  buildClient,
  CommitmentPolicy,
  KmsKeyringNode,
  AlgorithmSuiteIdentifier as Suite,
} from '@aws-crypto/client-node';
import { dataEncryption } from '@nitro-enclaves/kms';
import { describeMachine, printMedians, sideBySide } from '../side-by-side.mjs';

const MIB = 1_048_576;
const LENGTH = 32 * MIB;
const piece = randomBytes(65_536);
const keyArn = 'arn:aws:kms:eu-west-1:111122223333:key/11111111-2222-4333-8444-555555555555';
const context = { purpose: 'bench' };

/** Gives and takes one data key: KMS is not what is measured here. */
const dataKey = randomBytes(32);
const client = {
  generateDataKey: async () => ({
    KeyId: keyArn,
    Plaintext: Buffer.from(dataKey),
    CiphertextBlob: Buffer.alloc(184, 7),
  }),
  encrypt: async () => ({ KeyId: keyArn, CiphertextBlob: Buffer.alloc(184, 7) }),
  decrypt: async () => ({ KeyId: keyArn, Plaintext: Buffer.from(dataKey) }),
};
const ours = dataEncryption({ client, keyArn });
const sdk = buildClient(CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT);
const keyring = new KmsKeyringNode({ clientProvider: () => client, generatorKeyId: keyArn });
const suiteId = Suite.ALG_AES256_GCM_IV12_TAG16_HKDF_SHA512_COMMIT_KEY;

function* pieces() {
  for (let sent = 0; sent < LENGTH; sent += piece.length) yield piece;
}
const nowhere = () => new Writable({ write: (_chunk, _encoding, done) => done() });
const through = (...streams) => pipeline(Readable.from(pieces()), ...streams, nowhere());
const iv = Buffer.alloc(12);

function rawPair() {
  const cipher = createCipheriv('aes-256-gcm', dataKey, iv);
  const decipher = createDecipheriv('aes-256-gcm', dataKey, iv);
  cipher.once('end', () => decipher.setAuthTag(cipher.getAuthTag()));
  return [cipher, decipher];
}

console.log(`${describeMachine()}, ${LENGTH / MIB} MiB encrypted and decrypted`);
const medians = await sideBySide(
  {
    'raw AES-256-GCM': () => through(...rawPair()),
    ours: () => through(ours.encryptStream({ context }), ours.decryptStream({ context })),
    'Encryption SDK, same suite': () =>
      through(
        sdk.encryptStream(keyring, { suiteId, encryptionContext: context }),
        sdk.decryptUnsignedMessageStream(keyring),
      ),
    'Encryption SDK, its defaults': () =>
      through(sdk.encryptStream(keyring, { encryptionContext: context }), sdk.decryptStream(keyring)),
  },
  { rounds: 9 },
);
printMedians(medians, (name) =>
  name === 'ours' ? 'raw AES-256-GCM' : name.startsWith('Encryption') ? 'ours' : undefined,
);
for (const [name, time] of medians)
  console.log(`${name.padEnd(44)} ${((2 * LENGTH) / MIB / (time / 1000)).toFixed(0).padStart(6)} MiB/s`);
