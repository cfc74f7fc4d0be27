import { createDecipheriv, randomBytes, webcrypto } from 'node:crypto';
import { bytesEqual } from '@nitro-enclaves/core';
import { KmsRecipientError } from '../error.ts';
import type { RecipientKey } from '../recipient/recipient-key.ts';
import type { RecipientEnvelope } from './decode.ts';
import { decodeEnvelope } from './decode.ts';

const CONTENT_KEY_BYTES = 32;

/** The content key, or a random one of no use: the work that follows is the same, so that its time tells nothing. */
async function unwrapContentKey(
  { encryptedKey }: RecipientEnvelope,
  { privateKey }: RecipientKey,
): Promise<{ contentKey: Uint8Array; isGenuine: boolean }> {
  try {
    const contentKey = new Uint8Array(await webcrypto.subtle.decrypt({ name: 'RSA-OAEP' }, privateKey, encryptedKey));
    if (contentKey.length === CONTENT_KEY_BYTES) return { contentKey, isGenuine: true };
    contentKey.fill(0);
  } catch {
    // The one deliberate silence: why OAEP failed must not be told to whoever sent the envelope.
  }
  return { contentKey: randomBytes(CONTENT_KEY_BYTES), isGenuine: false };
}

function decryptContent({ initializationVector, ciphertext }: RecipientEnvelope, contentKey: Uint8Array): Uint8Array {
  const decipher = createDecipheriv('aes-256-cbc', contentKey, initializationVector);
  const blocks = decipher.update(ciphertext);
  try {
    const last = decipher.final();
    const plaintext = new Uint8Array(blocks.length + last.length);
    plaintext.set(blocks);
    plaintext.set(last, blocks.length);
    last.fill(0);
    return plaintext;
  } finally {
    blocks.fill(0);
  }
}

async function openUnchecked(encoded: Uint8Array, key: RecipientKey): Promise<Uint8Array> {
  const envelope = decodeEnvelope(encoded);
  if (!bytesEqual(envelope.subjectKeyIdentifier, key.subjectKeyIdentifier)) throw new Error('another recipient');
  const { contentKey, isGenuine } = await unwrapContentKey(envelope, key);
  try {
    const plaintext = decryptContent(envelope, contentKey);
    if (isGenuine) return plaintext;
    plaintext.fill(0);
    throw new Error('another key');
  } finally {
    contentKey.fill(0);
  }
}

/**
 * Opens CiphertextForRecipient with the enclave's key. The result is the caller's to zero.
 *
 * The envelope is not authenticated: whoever sees the public key can make one. So every failure (shape, recipient, RSA,
 * padding) gives the same error without a cause: told apart, they would be a padding oracle (Vaudenay; Bleichenbacher).
 * @throws {KmsRecipientError} `ENVELOPE_REFUSED`.
 */
export async function openEnvelope(encoded: Uint8Array, key: RecipientKey): Promise<Uint8Array> {
  try {
    return await openUnchecked(encoded, key);
  } catch {
    throw new KmsRecipientError(
      'ENVELOPE_REFUSED',
      'expected CiphertextForRecipient to be an envelope of KMS for the key of this call, found one that does not open: check that TLS to KMS ends inside the enclave',
    );
  }
}
