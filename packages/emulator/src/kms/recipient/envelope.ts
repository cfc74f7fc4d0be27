import type { KeyObject } from 'node:crypto';
import { constants, createCipheriv, createHash, publicEncrypt, randomBytes } from 'node:crypto';
import { concatBytes, DER_TAG } from '@nitro-enclaves/core';
import { encodeDer } from '../../pki/der-writer.ts';

/** The two forms that KMS gives the encrypted content: OCTET STRINGs inside of a constructed [0], or a primitive [0]. */
export interface EnvelopeForm {
  /** Default `constructed`. */
  readonly content?: 'constructed' | 'primitive';
  /** Bytes in each OCTET STRING of the constructed form. Default: all in one. */
  readonly chunkBytes?: number;
}

/** Who can open an envelope. */
export interface EnvelopeRecipient {
  /** An RSA key. */
  readonly publicKey: KeyObject;
  /** The key's SubjectPublicKeyInfo, DER, as it stood in the document. */
  readonly encodedPublicKey: Uint8Array;
}

const CONTEXT_0_CONSTRUCTED = 0xa0;
const CONTEXT_0_PRIMITIVE = 0x80;
const INDEFINITE = 0x80;
const END_OF_CONTENTS = Uint8Array.of(0, 0);

function oid(...content: readonly number[]): Uint8Array {
  return encodeDer(DER_TAG.OBJECT_IDENTIFIER, Uint8Array.from(content));
}

const OID = {
  ENVELOPED_DATA: oid(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x03),
  DATA: oid(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01),
  RSAES_OAEP: oid(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x07),
  MGF1: oid(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08),
  SHA256: oid(0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01),
  AES256_CBC: oid(0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a),
} as const;

function sequence(...contents: readonly Uint8Array[]): Uint8Array {
  return encodeDer(DER_TAG.SEQUENCE, ...contents);
}

/** An element without a length, closed by end-of-contents octets (X.690 §8.1.3.6). */
function indefinite(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
  return concatBytes(Uint8Array.of(tag, INDEFINITE), ...contents, END_OF_CONTENTS);
}

const CMS_VERSION_2 = encodeDer(DER_TAG.INTEGER, Uint8Array.of(2));
const SHA256 = sequence(OID.SHA256, encodeDer(DER_TAG.NULL));

/** RSAES-OAEP with SHA-256 and MGF1 with SHA-256 (RFC 4055 §4.1). */
const OAEP_SHA256 = sequence(
  OID.RSAES_OAEP,
  sequence(encodeDer(0xa0, SHA256), encodeDer(0xa1, sequence(OID.MGF1, SHA256))),
);

function encodeRecipient({ publicKey, encodedPublicKey }: EnvelopeRecipient, contentKey: Uint8Array): Uint8Array {
  const subjectKeyIdentifier = createHash('sha256').update(encodedPublicKey).digest();
  const encryptedKey = publicEncrypt(
    { key: publicKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' },
    contentKey,
  );
  return sequence(
    CMS_VERSION_2,
    encodeDer(CONTEXT_0_PRIMITIVE, subjectKeyIdentifier),
    OAEP_SHA256,
    encodeDer(DER_TAG.OCTET_STRING, encryptedKey),
  );
}

function split(content: Uint8Array, chunkBytes: number): Uint8Array[] {
  const count = Math.ceil(content.length / chunkBytes);
  return Array.from({ length: count }, (_, index) => content.subarray(index * chunkBytes, (index + 1) * chunkBytes));
}

function encodeContent(
  ciphertext: Uint8Array,
  { content = 'constructed', chunkBytes = ciphertext.length }: EnvelopeForm,
): Uint8Array {
  if (content === 'primitive') return encodeDer(CONTEXT_0_PRIMITIVE, ciphertext);
  const chunks = split(ciphertext, chunkBytes).map((chunk) => encodeDer(DER_TAG.OCTET_STRING, chunk));
  return indefinite(CONTEXT_0_CONSTRUCTED, ...chunks);
}

/**
 * CiphertextForRecipient: CMS EnvelopedData (RFC 5652 §6) in the BER that KMS sends, of indefinite lengths, with one
 * recipient known by the SHA-256 of its key.
 */
export function sealEnvelope(recipient: EnvelopeRecipient, plaintext: Uint8Array, form: EnvelopeForm = {}): Uint8Array {
  const contentKey = randomBytes(32);
  const iv = randomBytes(16);
  const cipher = createCipheriv('aes-256-cbc', contentKey, iv);
  const ciphertext = concatBytes(cipher.update(plaintext), cipher.final());
  const algorithm = sequence(OID.AES256_CBC, encodeDer(DER_TAG.OCTET_STRING, iv));
  const recipients = encodeDer(DER_TAG.SET, encodeRecipient(recipient, contentKey));
  contentKey.fill(0);
  const encryptedContent = indefinite(DER_TAG.SEQUENCE, OID.DATA, algorithm, encodeContent(ciphertext, form));
  const envelopedData = indefinite(DER_TAG.SEQUENCE, CMS_VERSION_2, recipients, encryptedContent);
  return indefinite(DER_TAG.SEQUENCE, OID.ENVELOPED_DATA, indefinite(CONTEXT_0_CONSTRUCTED, envelopedData));
}
