import { bytesEqual, concatBytes, DER_TAG, decodeHex } from '@nitro-enclaves/core';
import { BerReader, CONTEXT_0, expect } from './ber-reader.ts';
import { expectOaepSha256 } from './key-encryption.ts';

/** What CiphertextForRecipient holds: a content key under the recipient's RSA key, and the content under that key. */
export interface RecipientEnvelope {
  /** SHA-256 of the recipient's SubjectPublicKeyInfo (DER), 32 bytes. */
  readonly subjectKeyIdentifier: Uint8Array;
  /** The AES-256 key under RSAES-OAEP with SHA-256, 256 bytes. */
  readonly encryptedKey: Uint8Array;
  /** 16 bytes. */
  readonly initializationVector: Uint8Array;
  /** AES-256-CBC with PKCS #7 padding: whole blocks of 16 bytes. */
  readonly ciphertext: Uint8Array;
}

/** Content octets of the object identifiers. */
const OID = {
  /** 1.2.840.113549.1.7.3 */
  ENVELOPED_DATA: decodeHex('2a864886f70d010703'),
  /** 1.2.840.113549.1.7.1 */
  DATA: decodeHex('2a864886f70d010701'),
  /** 2.16.840.1.101.3.4.1.42 */
  AES256_CBC: decodeHex('60864801650304012a'),
} as const;

/** KMS's answers have at most 6144 bytes; twice that is room for BER of any chunking. */
const MAX_ENVELOPE_BYTES = 12_288;
const CMS_VERSION = 2;
const SUBJECT_KEY_IDENTIFIER_BYTES = 32;
const ENCRYPTED_KEY_BYTES = 256;
const BLOCK_BYTES = 16;

function expectOid(reader: BerReader, oid: Uint8Array, what: string): void {
  expect(bytesEqual(reader.primitive(DER_TAG.OBJECT_IDENTIFIER), oid), what);
}

/** Both EnvelopedData and KeyTransRecipientInfo have it, as soon as a recipient is known by its subjectKeyIdentifier. */
function expectVersion(reader: BerReader): void {
  const version = reader.primitive(DER_TAG.INTEGER);
  expect(version.length === 1 && version[0] === CMS_VERSION, 'version 2');
}

function octets(reader: BerReader, { tag, length }: { tag: number; length: number }): Uint8Array {
  const content = reader.primitive(tag);
  expect(content.length === length, `a part of ${length} bytes`);
  return content;
}

/** The one recipient, by key transport: all other alternatives of the CHOICE RecipientInfo are tagged. */
function readRecipient(reader: BerReader): Pick<RecipientEnvelope, 'subjectKeyIdentifier' | 'encryptedKey'> {
  expectVersion(reader);
  const identifier = { tag: CONTEXT_0.PRIMITIVE, length: SUBJECT_KEY_IDENTIFIER_BYTES };
  const subjectKeyIdentifier = octets(reader, identifier);
  expectOaepSha256(reader.element(DER_TAG.SEQUENCE));
  return {
    subjectKeyIdentifier,
    encryptedKey: octets(reader, { tag: DER_TAG.OCTET_STRING, length: ENCRYPTED_KEY_BYTES }),
  };
}

function readInitializationVector(reader: BerReader): Uint8Array {
  return reader.inside(DER_TAG.SEQUENCE, () => {
    expectOid(reader, OID.AES256_CBC, 'AES-256-CBC');
    return octets(reader, { tag: DER_TAG.OCTET_STRING, length: BLOCK_BYTES });
  });
}

/** `[0] IMPLICIT OCTET STRING`: whole, or in as many chunks as KMS likes. */
function readCiphertext(reader: BerReader): Uint8Array {
  if (reader.peekTag() === CONTEXT_0.PRIMITIVE) return reader.primitive(CONTEXT_0.PRIMITIVE);
  const chunks: Uint8Array[] = [];
  reader.inside(CONTEXT_0.CONSTRUCTED, () => {
    while (!reader.isAtEnd()) chunks.push(reader.primitive(DER_TAG.OCTET_STRING));
  });
  return concatBytes(...chunks);
}

function readContent(reader: BerReader): Pick<RecipientEnvelope, 'initializationVector' | 'ciphertext'> {
  expectOid(reader, OID.DATA, 'content of type data');
  const initializationVector = readInitializationVector(reader);
  const ciphertext = readCiphertext(reader);
  expect(ciphertext.length > 0 && ciphertext.length % BLOCK_BYTES === 0, 'whole blocks of 16 bytes');
  return { initializationVector, ciphertext };
}

/** Without originator information and attributes. A second recipient would be a second way into the content. */
function readEnvelopedData(reader: BerReader): RecipientEnvelope {
  expectVersion(reader);
  const recipient = reader.inside(DER_TAG.SET, () => reader.inside(DER_TAG.SEQUENCE, () => readRecipient(reader)));
  return { ...recipient, ...reader.inside(DER_TAG.SEQUENCE, () => readContent(reader)) };
}

/**
 * Decodes CiphertextForRecipient: CMS EnvelopedData (RFC 5652 §6) in BER, of the one profile that KMS sends. Both of its
 * encodings of the content are taken; any other version, type, algorithm, length or number of recipients is refused. Read
 * here, but for the algorithm: the tree that pkijs makes of an envelope takes twice as long as RSA does. The parts may be
 * views of `encoded`.
 * @throws {EnvelopeShapeError} or an error of the ASN.1 libraries; callers treat them alike.
 */
export function decodeEnvelope(encoded: Uint8Array): RecipientEnvelope {
  expect(encoded.length <= MAX_ENVELOPE_BYTES, `at most ${MAX_ENVELOPE_BYTES} bytes`);
  const reader = new BerReader(encoded);
  const envelope = reader.inside(DER_TAG.SEQUENCE, () => {
    expectOid(reader, OID.ENVELOPED_DATA, 'EnvelopedData');
    return reader.inside(CONTEXT_0.CONSTRUCTED, () => reader.inside(DER_TAG.SEQUENCE, () => readEnvelopedData(reader)));
  });
  expect(reader.isAtEnd(), 'nothing behind the envelope');
  return envelope;
}
