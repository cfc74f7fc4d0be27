import { bytesEqual, concatBytes, decodeHex } from '@nitro-enclaves/core';
import type { AsnType } from 'asn1js';
import { Constructed, fromBER, Integer, Null, OctetString, Primitive, Sequence, Set as SetOf } from 'asn1js';
import { AlgorithmIdentifier, ContentInfo, EncryptedContentInfo, KeyTransRecipientInfo, RSAESOAEPParams } from 'pkijs';

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

const OID = {
  ENVELOPED_DATA: '1.2.840.113549.1.7.3',
  DATA: '1.2.840.113549.1.7.1',
  RSAES_OAEP: '1.2.840.113549.1.1.7',
  MGF1: '1.2.840.113549.1.1.8',
  SHA256: '2.16.840.1.101.3.4.2.1',
  AES256_CBC: '2.16.840.1.101.3.4.1.42',
} as const;

/** KMS's answers have at most 6144 bytes; twice that is room for BER of any chunking. */
export const MAX_ENVELOPE_BYTES = 12_288;
const CMS_VERSION = 2;
const SUBJECT_KEY_IDENTIFIER_BYTES = 32;
const ENCRYPTED_KEY_BYTES = 256;
const BLOCK_BYTES = 16;

/** Ends a decoding. Stays inside this folder: every failure has the same face outside it (see `open.ts`). */
export class EnvelopeShapeError extends Error {}

function expect(condition: boolean, what: string): asserts condition {
  if (!condition) throw new EnvelopeShapeError(`expected ${what}`);
}

/** Content of a primitive OCTET STRING of exactly `length` bytes. */
function octets(value: unknown, length: number, what: string): Uint8Array {
  expect(value instanceof OctetString && !value.idBlock.isConstructed, `${what} to be an OCTET STRING`);
  const bytes = new Uint8Array(value.getValue());
  expect(bytes.length === length, `${what} to have ${length} bytes`);
  return bytes;
}

/** Without parameters, or with NULL: the two forms of a hash algorithm (RFC 5754 §2). */
function isSha256({ algorithmId, algorithmParams }: AlgorithmIdentifier): boolean {
  return algorithmId === OID.SHA256 && (algorithmParams === undefined || algorithmParams instanceof Null);
}

/** `RSASSA-OAEP-params` of SHA-256, MGF1 with SHA-256 and no label, in DER (RFC 4055 §4.1): what KMS sends, every time. */
const OAEP_SHA256_PARAMETERS = decodeHex(
  '302fa00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d06096086480165030402010500',
);

/** RSAES-OAEP with SHA-256 twice and the empty label. PKCS #1 v1.5, or SHA-1 (the default of both), would be a downgrade. */
function expectOaepSha256({ algorithmId, algorithmParams }: AlgorithmIdentifier): void {
  expect(algorithmId === OID.RSAES_OAEP && algorithmParams instanceof Sequence, 'RSAES-OAEP');
  if (!bytesEqual(algorithmParams.valueBeforeDecodeView, OAEP_SHA256_PARAMETERS)) expectOaepParameters(algorithmParams);
}

/** The same in another encoding: hashes without parameters, or an explicit empty label. */
function expectOaepParameters(algorithmParams: Sequence): void {
  const { hashAlgorithm, maskGenAlgorithm, pSourceAlgorithm } = new RSAESOAEPParams({ schema: algorithmParams });
  expect(isSha256(hashAlgorithm), 'OAEP with SHA-256');
  expect(maskGenAlgorithm.algorithmId === OID.MGF1, 'OAEP with MGF1');
  expect(isSha256(new AlgorithmIdentifier({ schema: maskGenAlgorithm.algorithmParams })), 'MGF1 with SHA-256');
  // Absent, as KMS leaves it: pkijs then fills in a default of its own.
  if (pSourceAlgorithm.isEqual(RSAESOAEPParams.defaultValues('pSourceAlgorithm'))) return;
  octets(pSourceAlgorithm.algorithmParams, 0, 'the label');
}

/** The one recipient: a second one would be a second way into the content, of somebody else. */
function readRecipient(recipients: SetOf): Pick<RecipientEnvelope, 'subjectKeyIdentifier' | 'encryptedKey'> {
  const [recipient] = recipients.valueBlock.value;
  // All other alternatives of the CHOICE RecipientInfo are tagged.
  expect(recipients.valueBlock.value.length === 1 && recipient instanceof Sequence, 'one recipient, by key transport');
  const { version, rid, keyEncryptionAlgorithm, encryptedKey } = new KeyTransRecipientInfo({ schema: recipient });
  expect(version === CMS_VERSION, 'key transport of version 2');
  expectOaepSha256(keyEncryptionAlgorithm);
  return {
    subjectKeyIdentifier: octets(rid, SUBJECT_KEY_IDENTIFIER_BYTES, 'the subject key identifier'),
    encryptedKey: octets(encryptedKey, ENCRYPTED_KEY_BYTES, 'the encrypted key'),
  };
}

/** `[0] IMPLICIT OCTET STRING`: whole, or in as many chunks as KMS likes. */
function joinContent(content: unknown): Uint8Array {
  if (content instanceof Primitive) return content.valueBlock.valueHexView;
  expect(content instanceof Constructed, 'encrypted content');
  const chunks = content.valueBlock.value.map((chunk) => {
    expect(chunk instanceof OctetString && !chunk.idBlock.isConstructed, 'chunks that are OCTET STRINGs');
    return new Uint8Array(chunk.getValue());
  });
  return concatBytes(...chunks);
}

function readContent(content: Sequence): Pick<RecipientEnvelope, 'initializationVector' | 'ciphertext'> {
  const info = new EncryptedContentInfo({ schema: content });
  const { algorithmId, algorithmParams } = info.contentEncryptionAlgorithm;
  expect(info.contentType === OID.DATA, 'content of type data');
  expect(algorithmId === OID.AES256_CBC, 'AES-256-CBC');
  const ciphertext = joinContent(info.encryptedContent);
  expect(ciphertext.length > 0 && ciphertext.length % BLOCK_BYTES === 0, 'whole blocks of 16 bytes');
  return { initializationVector: octets(algorithmParams, BLOCK_BYTES, 'the initialization vector'), ciphertext };
}

function decodeContentInfo(encoded: Uint8Array): ContentInfo {
  expect(encoded.length <= MAX_ENVELOPE_BYTES, `at most ${MAX_ENVELOPE_BYTES} bytes`);
  // Without `parseEmbedded: false`, octets that happen to look like BER would be taken apart.
  const { offset, result } = fromBER(encoded, { parseEmbedded: false, maxDepth: 16, maxNodes: 1024 });
  expect(offset === encoded.length, 'BER with nothing after it');
  return new ContentInfo({ schema: result });
}

/**
 * The three parts of EnvelopedData that KMS sends, without originator information and attributes. Read here and not by
 * pkijs, whose schema of all alternatives takes longer than RSA does.
 */
function readEnvelopedData(content: AsnType): RecipientEnvelope {
  expect(content instanceof Sequence && content.valueBlock.value.length === 3, 'EnvelopedData of three parts');
  const [version, recipients, encryptedContent] = content.valueBlock.value;
  expect(version instanceof Integer && version.valueBlock.valueDec === CMS_VERSION, 'EnvelopedData of version 2');
  expect(recipients instanceof SetOf && encryptedContent instanceof Sequence, 'recipients, then content');
  return { ...readRecipient(recipients), ...readContent(encryptedContent) };
}

/**
 * Decodes CiphertextForRecipient: CMS EnvelopedData (RFC 5652 §6) in BER, of the one profile that KMS sends. Both of its
 * encodings of the content are taken; any other version, type, algorithm, length or number of recipients is refused.
 * @throws {EnvelopeShapeError} or an error of the ASN.1 libraries; callers treat them alike.
 */
export function decodeEnvelope(encoded: Uint8Array): RecipientEnvelope {
  const { contentType, content } = decodeContentInfo(encoded);
  expect(contentType === OID.ENVELOPED_DATA, 'EnvelopedData');
  return readEnvelopedData(content);
}
