import type { KeyObject } from 'node:crypto';
import { createPrivateKey } from 'node:crypto';
import type { KMS } from '@aws-sdk/client-kms';
import { TlsServerError } from './error.ts';

/** Which key of KMS seals private keys, and for which server they are sealed. */
export interface Seal {
  readonly keyArn: string;
  /** Name of the server. */
  readonly host: string;
}

/** What a sealed key has to be for: KMS opens it under no other context. */
function contextOf({ host }: Seal): Record<string, string> {
  return { purpose: 'tls-server', host };
}

/** A private key that nobody has seen: made by KMS, and only opened in the enclave. */
export interface SealedKey {
  readonly sealedKey: Uint8Array;
  /** SubjectPublicKeyInfo, DER: what a certificate is issued for. */
  readonly publicKey: Uint8Array;
}

/** Has KMS make a key pair on P-256 and keep its private half sealed. For whoever renews the certificate. */
export async function createSealedKey(kms: KMS, seal: Seal): Promise<SealedKey> {
  const { PrivateKeyCiphertextBlob: sealedKey, PublicKey: publicKey } = await kms.generateDataKeyPairWithoutPlaintext({
    KeyId: seal.keyArn,
    KeyPairSpec: 'ECC_NIST_P256',
    EncryptionContext: contextOf(seal),
  });
  if (sealedKey === undefined || publicKey === undefined) throw new Error('KMS gave no key pair');
  return { sealedKey, publicKey };
}

/**
 * Opens a sealed key, in the enclave: the client has the recipient plugin, so that KMS answers to this enclave alone.
 * @throws {TlsServerError} `BUNDLE_MALFORMED` when what was sealed is no private key. @throws errors of KMS.
 */
export async function openSealedKey(
  kms: KMS,
  seal: Seal,
  { sealedKey, signal }: { readonly sealedKey: Uint8Array; readonly signal: AbortSignal },
): Promise<KeyObject> {
  const { Plaintext } = await kms.decrypt(
    { KeyId: seal.keyArn, CiphertextBlob: sealedKey, EncryptionContext: contextOf(seal) },
    { abortSignal: signal },
  );
  if (Plaintext === undefined) throw new Error('KMS gave no plaintext');
  const der = Buffer.from(Plaintext.buffer, Plaintext.byteOffset, Plaintext.length);
  try {
    return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  } catch {
    // Without the cause: a parser's words could quote the key.
    throw new TlsServerError('BUNDLE_MALFORMED', 'expected a sealed private key in PKCS #8');
  } finally {
    der.fill(0);
  }
}
