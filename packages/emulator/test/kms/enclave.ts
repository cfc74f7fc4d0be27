import { constants, createDecipheriv, createHash, generateKeyPairSync, privateDecrypt } from 'node:crypto';
import type { AttestationDocumentRequest, NitroPki } from '@nitro-enclaves/emulator';
import { issueAttestationDocument } from '@nitro-enclaves/emulator';
import { OctetString } from 'asn1js';
import { ContentInfo, EnvelopedData, KeyTransRecipientInfo } from 'pkijs';

export const MODULE_ID = 'i-1234567890abcdef0-enc0123456789abcdef';

/** A PCR value of one repeated byte. */
export function pcr(byte: number): string {
  return byte.toString(16).padStart(2, '0').repeat(48);
}

export const PCRS: Readonly<Record<number, string>> = {
  0: pcr(0xa0),
  1: pcr(0xa1),
  2: pcr(0xa2),
  3: pcr(0xa3),
  4: pcr(0xa4),
  8: pcr(0xa8),
};

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
/** SubjectPublicKeyInfo of the enclave's RSA key. */
export const PUBLIC_KEY: Uint8Array = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }));

/** A document as the enclave gets it for a call to KMS. */
export function documentOf(pki: NitroPki, request: Partial<AttestationDocumentRequest> = {}): Promise<Uint8Array> {
  return issueAttestationDocument(pki, { moduleId: MODULE_ID, pcrs: PCRS, publicKey: PUBLIC_KEY, ...request });
}

/** The member `Recipient` of a request. */
export async function recipientOf(pki: NitroPki, request: Partial<AttestationDocumentRequest> = {}) {
  return { KeyEncryptionAlgorithm: 'RSAES_OAEP_SHA_256' as const, AttestationDocument: await documentOf(pki, request) };
}

/** Opens CiphertextForRecipient with the enclave's key, by a CMS library that is not ours. */
export function openForEnclave(encoded: Uint8Array | undefined): Uint8Array {
  if (encoded === undefined) throw new Error('expected CiphertextForRecipient');
  const { contentType, content } = ContentInfo.fromBER(Uint8Array.from(encoded));
  if (contentType !== '1.2.840.113549.1.7.3') throw new Error(`expected EnvelopedData, found ${contentType}`);
  const { recipientInfos, encryptedContentInfo } = new EnvelopedData({ schema: content });
  const recipient = recipientInfos[0]?.value;
  if (!(recipient instanceof KeyTransRecipientInfo)) throw new Error('expected a recipient by key transport');
  if (!(recipient.rid instanceof OctetString)) throw new Error('expected a subject key identifier');
  const identifier = createHash('sha256').update(PUBLIC_KEY).digest('hex');
  if (Buffer.from(recipient.rid.getValue()).toString('hex') !== identifier)
    throw new Error('expected our key identifier');
  const encryptedKey = new Uint8Array(recipient.encryptedKey.getValue());
  const padding = constants.RSA_PKCS1_OAEP_PADDING;
  const contentKey = privateDecrypt({ key: privateKey, padding, oaepHash: 'sha256' }, encryptedKey);
  const iv = new Uint8Array(encryptedContentInfo.contentEncryptionAlgorithm.algorithmParams.getValue());
  const decipher = createDecipheriv('aes-256-cbc', contentKey, iv);
  const ciphertext = new Uint8Array(encryptedContentInfo.getEncryptedContent());
  return Buffer.concat([decipher.update(ciphertext), decipher.final()]);
}
