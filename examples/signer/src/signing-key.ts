import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { KMS } from '@aws-sdk/client-kms';
import type { Enclave } from '@nitro-enclaves/emulator/enclave';
import { kmsRequestHandler, parentCredentials, recipient } from '@nitro-enclaves/kms';
import type { SignerConfig } from './config.ts';

/** Bound to the ciphertext by KMS: the key is good for nothing else. */
const CONTEXT = { purpose: 'signer' };

/** The signing key: ECDSA on P-256. Its private half is in the clear nowhere but in this process. */
export interface SigningKey {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** The private half under the KMS key: for the parent to keep. */
  readonly sealed: Uint8Array;
}

function clientFor({ nsm, transport, kms: place }: Enclave, { region, credentialsToken }: SignerConfig): KMS {
  const client = new KMS({
    region,
    credentials: parentCredentials({ transport, token: credentialsToken }),
    requestHandler: kmsRequestHandler({ transport, ...place }),
  });
  client.middlewareStack.use(recipient({ attest: (request) => nsm.attestation(request), correctClockOf: client }));
  return client;
}

/** Takes PKCS #8 and zeroes it. */
function readKey(pkcs8: Uint8Array | undefined, sealed: Uint8Array | undefined): SigningKey {
  if (pkcs8 === undefined || sealed === undefined)
    throw new TypeError('expected a key pair in the answer of KMS, found none');
  const der = Buffer.from(pkcs8.buffer, pkcs8.byteOffset, pkcs8.byteLength);
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  pkcs8.fill(0);
  return { privateKey, publicKey: createPublicKey(privateKey), sealed };
}

/** Opens the sealed key, or has KMS make one where there is none. Both need this image's measurements. */
export async function openSigningKey(
  enclave: Enclave,
  config: SignerConfig,
  sealed: Uint8Array | undefined,
): Promise<SigningKey> {
  const client = clientFor(enclave, config);
  const key = { KeyId: config.key, EncryptionContext: CONTEXT };
  try {
    if (sealed !== undefined) {
      const { Plaintext } = await client.decrypt({ ...key, CiphertextBlob: sealed });
      return readKey(Plaintext, sealed);
    }
    const pair = await client.generateDataKeyPair({ ...key, KeyPairSpec: 'ECC_NIST_P256' });
    return readKey(pair.PrivateKeyPlaintext, pair.PrivateKeyCiphertextBlob);
  } finally {
    client.destroy();
  }
}
