import type { KeyObject } from 'node:crypto';
import { constants, createCipheriv, createHash, createPublicKey, publicEncrypt, randomBytes } from 'node:crypto';

/** How KMS's answers encode the content: `[0]` constructed of OCTET STRINGs, or `[0]` primitive. */
export type ContentShape = { readonly chunks: readonly number[] } | 'primitive';

/** Parts of an envelope that a test replaces; all others are as KMS writes them. */
export interface EnvelopeParts {
  contentType: Buffer;
  version: Buffer;
  recipientVersion: Buffer;
  subjectKeyIdentifier: Buffer;
  /** Whole AlgorithmIdentifier. */
  keyEncryption: Buffer;
  encryptedKey: Buffer;
  dataType: Buffer;
  /** Whole AlgorithmIdentifier, with the initialization vector. */
  contentEncryption: Buffer;
  shape: ContentShape;
  ciphertext: Buffer;
  /** More RecipientInfos behind the first. */
  moreRecipients: Buffer[];
  /** What follows EncryptedContentInfo inside EnvelopedData. */
  trailer: Buffer;
}

function length(count: number): Buffer {
  if (count < 0x80) return Buffer.of(count);
  return count < 0x100 ? Buffer.of(0x81, count) : Buffer.of(0x82, count >> 8, count & 0xff);
}

/** Definite-length TLV. */
export function tlv(tag: number, ...content: Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  return Buffer.concat([Buffer.of(tag), length(body.length), body]);
}

/** Indefinite-length TLV, as KMS's BER has it outside. */
export function indefinite(tag: number, ...content: Uint8Array[]): Buffer {
  return Buffer.concat([Buffer.of(tag, 0x80), ...content, Buffer.of(0, 0)]);
}

const hex = (digits: string): Buffer => Buffer.from(digits, 'hex');
export const OID = {
  envelopedData: tlv(6, hex('2a864886f70d010703')),
  signedData: tlv(6, hex('2a864886f70d010702')),
  data: tlv(6, hex('2a864886f70d010701')),
  oaep: tlv(6, hex('2a864886f70d010107')),
  rsaEncryption: tlv(6, hex('2a864886f70d010101')),
  mgf1: tlv(6, hex('2a864886f70d010108')),
  pSpecified: tlv(6, hex('2a864886f70d010109')),
  sha256: tlv(6, hex('608648016503040201')),
  sha1: tlv(6, hex('2b0e03021a')),
  aes256Cbc: tlv(6, hex('60864801650304012a')),
  aes128Cbc: tlv(6, hex('608648016503040102')),
  aes256Gcm: tlv(6, hex('60864801650304012e')),
} as const;
const NULL = Buffer.of(5, 0);

/** RSAES-OAEP's AlgorithmIdentifier with any hash, MGF hash and label. */
export function oaep({
  hash = OID.sha256,
  mgfHash = OID.sha256,
  label = undefined as Buffer | undefined,
} = {}): Buffer {
  const source = label === undefined ? [] : [tlv(0xa2, tlv(0x30, OID.pSpecified, tlv(4, label)))];
  return tlv(
    0x30,
    OID.oaep,
    tlv(0x30, tlv(0xa0, tlv(0x30, hash, NULL)), tlv(0xa1, tlv(0x30, OID.mgf1, tlv(0x30, mgfHash, NULL))), ...source),
  );
}

export function integer(value: number): Buffer {
  return tlv(2, Buffer.of(value));
}

function content(shape: ContentShape, ciphertext: Buffer): Buffer {
  if (shape === 'primitive') return tlv(0x80, ciphertext);
  const ends = shape.chunks.map((_, index) => shape.chunks.slice(0, index + 1).reduce((sum, size) => sum + size, 0));
  const chunks = [0, ...ends].map((start, index) => tlv(4, ciphertext.subarray(start, ends[index])));
  return indefinite(0xa0, ...chunks);
}

/** Writes the envelope around parts that may be anything. */
export function writeEnvelope(parts: EnvelopeParts): Buffer {
  const recipient = tlv(
    0x30,
    parts.recipientVersion,
    tlv(0x80, parts.subjectKeyIdentifier),
    parts.keyEncryption,
    tlv(4, parts.encryptedKey),
  );
  const encryptedContent = indefinite(
    0x30,
    parts.dataType,
    parts.contentEncryption,
    content(parts.shape, parts.ciphertext),
  );
  return indefinite(
    0x30,
    parts.contentType,
    indefinite(
      0xa0,
      indefinite(0x30, parts.version, tlv(0x31, recipient, ...parts.moreRecipients), encryptedContent, parts.trailer),
    ),
  );
}

/** What a test may choose of an envelope's cryptography. */
export interface SealOptions {
  readonly contentKey?: Buffer;
  readonly oaepHash?: string;
  readonly padding?: number;
}

/** The parts of an envelope that holds `plaintext` for the SubjectPublicKeyInfo `spki`, sealed by OpenSSL. */
export function sealParts(spki: Uint8Array, plaintext: Uint8Array, options: SealOptions = {}): EnvelopeParts {
  const { contentKey = randomBytes(32), oaepHash = 'sha256', padding = constants.RSA_PKCS1_OAEP_PADDING } = options;
  const key: KeyObject = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  const iv = randomBytes(16);
  const cipher = createCipheriv(contentKey.length === 32 ? 'aes-256-cbc' : 'aes-128-cbc', contentKey, iv);
  return {
    contentType: OID.envelopedData,
    version: integer(2),
    recipientVersion: integer(2),
    subjectKeyIdentifier: createHash('sha256').update(spki).digest(),
    keyEncryption: oaep(),
    encryptedKey: publicEncrypt(
      { key, padding, ...(padding === constants.RSA_PKCS1_OAEP_PADDING ? { oaepHash } : {}) },
      contentKey,
    ),
    dataType: OID.data,
    contentEncryption: tlv(0x30, OID.aes256Cbc, tlv(4, iv)),
    shape: { chunks: [] },
    ciphertext: Buffer.concat([cipher.update(plaintext), cipher.final()]),
    moreRecipients: [],
    trailer: Buffer.alloc(0),
  };
}

/** A whole envelope as KMS sends it, with parts replaced. */
export function seal(spki: Uint8Array, plaintext: Uint8Array, replaced: Partial<EnvelopeParts> = {}): Buffer {
  return writeEnvelope({ ...sealParts(spki, plaintext), ...replaced });
}
