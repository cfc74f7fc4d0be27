import { constantTimeEqual, copyBytes, encodeHex } from './bytes.ts';
import { DER_TAG, DerReader } from './der.ts';
import type { Refuse } from './error.ts';
import { NitroEnclavesError, refuseWith } from './error.ts';

/** Why DER is not an X.509 v3 certificate of the kind that a path check can judge. */
export type CertificateErrorCode =
  | 'CERTIFICATE_VERSION'
  | 'CERTIFICATE_SIGNATURE_ALGORITHM_MISMATCH'
  | 'CERTIFICATE_DUPLICATE_EXTENSION'
  | 'CERTIFICATE_BIT_STRING_UNUSED_BITS'
  | 'CERTIFICATE_SIGNATURE_FORM';

/** The bytes are DER, but not such a certificate. */
export class CertificateError extends NitroEnclavesError<CertificateErrorCode> {}

const refuse: Refuse<CertificateErrorCode> = refuseWith(CertificateError);

function fail(code: CertificateErrorCode, expected: string, found?: unknown): never {
  return refuse(code, 'certificate', expected, found, {});
}

/** An AlgorithmIdentifier (RFC 5280 §4.1.1.2). */
export interface AlgorithmIdentifier {
  /** The algorithm, in dotted decimals. */
  readonly algorithm: string;
  /** The parameters as encoded; `undefined` when absent. */
  readonly parameters: Uint8Array | undefined;
  /** The whole structure as encoded. */
  readonly encoded: Uint8Array;
}

/** An extension (RFC 5280 §4.2), its value not yet read. */
export interface CertificateExtension {
  readonly critical: boolean;
  /** Content of the extnValue OCTET STRING: the DER of the extension itself. */
  readonly value: Uint8Array;
}

/** The fields of a certificate that a path check needs (RFC 5280 §4.1). Byte fields are views of the private copy `encoded`. */
export interface Certificate {
  /** The whole certificate, DER. */
  readonly encoded: Uint8Array;
  /** The TBSCertificate: the bytes that the signature covers. */
  readonly tbs: Uint8Array;
  /** Content of the serialNumber INTEGER, lower-case hexadecimal. */
  readonly serialNumber: string;
  /** The issuer's Name, as encoded. */
  readonly issuer: Uint8Array;
  /** The subject's Name, as encoded. */
  readonly subject: Uint8Array;
  /** First moment of validity, in ms since the epoch. */
  readonly notBefore: number;
  /** Last moment of validity, in ms since the epoch. */
  readonly notAfter: number;
  /** The SubjectPublicKeyInfo, as encoded. */
  readonly subjectPublicKeyInfo: Uint8Array;
  /** The key's algorithm; for `id-ecPublicKey` the parameters name the curve. */
  readonly publicKeyAlgorithm: AlgorithmIdentifier;
  /** The key's bits: for `id-ecPublicKey` the point. */
  readonly publicKey: Uint8Array;
  readonly signatureAlgorithm: AlgorithmIdentifier;
  /** The signature's bits: for ECDSA the DER of Ecdsa-Sig-Value. */
  readonly signature: Uint8Array;
  /** Extensions by object identifier. */
  readonly extensions: ReadonlyMap<string, CertificateExtension>;
}

const VERSION_TAG = 0xa0;
const EXTENSIONS_TAG = 0xa3;
const VERSION_3 = 2;
const V3 = 'version 3';

function readAlgorithmIdentifier(reader: DerReader): AlgorithmIdentifier {
  const { whole, content } = reader.read(DER_TAG.SEQUENCE);
  const fields = new DerReader(content);
  const algorithm = fields.readObjectIdentifier();
  const parameters = fields.peekTag() === undefined ? undefined : fields.readAny().whole;
  fields.expectEnd();
  return { algorithm, parameters, encoded: whole };
}

/** Versions 1 and 2 have no basicConstraints: every holder of one would be an authority. */
function readVersion(tbs: DerReader): void {
  if (tbs.peekTag() !== VERSION_TAG) fail('CERTIFICATE_VERSION', V3);
  const explicit = tbs.enter(VERSION_TAG);
  const version = explicit.readSmallInteger();
  explicit.expectEnd();
  if (version !== VERSION_3) fail('CERTIFICATE_VERSION', V3, version + 1);
}

/** Bits of a key or signature: whole bytes only, so that there is one encoding of each. */
function readWholeBytes(reader: DerReader): Uint8Array {
  const { unusedBits, bytes } = reader.readBitString();
  if (unusedBits === 0) return bytes;
  fail('CERTIFICATE_BIT_STRING_UNUSED_BITS', 'whole bytes', `${unusedBits} unused bits`);
}

function readExtensions(tbs: DerReader): Map<string, CertificateExtension> {
  const extensions = new Map<string, CertificateExtension>();
  if (tbs.peekTag() !== EXTENSIONS_TAG) return extensions;
  const wrapper = tbs.enter(EXTENSIONS_TAG);
  const list = wrapper.enter(DER_TAG.SEQUENCE);
  wrapper.expectEnd();
  do {
    const extension = list.enter(DER_TAG.SEQUENCE);
    const identifier = extension.readObjectIdentifier();
    const critical = extension.readBooleanDefaultFalse();
    const value = extension.read(DER_TAG.OCTET_STRING).content;
    extension.expectEnd();
    // RFC 5280 §4.2: two readers could each act on another of the two.
    if (extensions.has(identifier)) {
      fail('CERTIFICATE_DUPLICATE_EXTENSION', 'each extension once', identifier);
    }
    extensions.set(identifier, { critical, value });
  } while (list.peekTag() !== undefined);
  return extensions;
}

function readSubjectPublicKeyInfo(
  tbs: DerReader,
): Pick<Certificate, 'subjectPublicKeyInfo' | 'publicKeyAlgorithm' | 'publicKey'> {
  const { whole, content } = tbs.read(DER_TAG.SEQUENCE);
  const fields = new DerReader(content);
  const publicKeyAlgorithm = readAlgorithmIdentifier(fields);
  const publicKey = readWholeBytes(fields);
  fields.expectEnd();
  return { subjectPublicKeyInfo: whole, publicKeyAlgorithm, publicKey };
}

function readValidity(tbs: DerReader): Pick<Certificate, 'notBefore' | 'notAfter'> {
  const validity = tbs.enter(DER_TAG.SEQUENCE);
  const notBefore = validity.readTime();
  const notAfter = validity.readTime();
  validity.expectEnd();
  return { notBefore, notAfter };
}

function readTbs(content: Uint8Array): Omit<Certificate, 'encoded' | 'tbs' | 'signature'> {
  const tbs = new DerReader(content);
  readVersion(tbs);
  const serialNumber = encodeHex(tbs.readInteger());
  const signatureAlgorithm = readAlgorithmIdentifier(tbs);
  const issuer = tbs.read(DER_TAG.SEQUENCE).whole;
  const validity = readValidity(tbs);
  const subject = tbs.read(DER_TAG.SEQUENCE).whole;
  const key = readSubjectPublicKeyInfo(tbs);
  const extensions = readExtensions(tbs);
  tbs.expectEnd();
  return { serialNumber, signatureAlgorithm, issuer, subject, ...validity, ...key, extensions };
}

/**
 * Reads an X.509 v3 certificate from a private copy of `encoded`. Every field is consumed, strictly DER; nothing is
 * trusted or verified. Source: RFC 5280 §4.1.
 * @throws {DerError} when the bytes are not strict DER of that structure.
 * @throws {CertificateError} when a rule of RFC 5280 is broken.
 */
export function parseCertificate(encoded: Uint8Array): Certificate {
  const copy = copyBytes(encoded);
  const outer = new DerReader(copy);
  const certificate = outer.enter(DER_TAG.SEQUENCE);
  outer.expectEnd();
  const tbs = certificate.read(DER_TAG.SEQUENCE);
  const fields = readTbs(tbs.content);
  const outerAlgorithm = readAlgorithmIdentifier(certificate);
  const signature = readWholeBytes(certificate);
  certificate.expectEnd();
  // RFC 5280 §4.1.1.2: the outer one is not signed; a difference is an attempt at another algorithm.
  if (!constantTimeEqual(outerAlgorithm.encoded, fields.signatureAlgorithm.encoded)) {
    fail('CERTIFICATE_SIGNATURE_ALGORITHM_MISMATCH', fields.signatureAlgorithm.algorithm, outerAlgorithm.algorithm);
  }
  return { encoded: copy, tbs: tbs.whole, signature, ...fields };
}

/** Copies an INTEGER into the `size` bytes of `target` that end at `end`. */
function placeUnsigned(integer: Uint8Array, target: Uint8Array, { end, size }: { end: number; size: number }): void {
  const [first = 0] = integer;
  const magnitude = integer.subarray(first === 0 ? 1 : 0);
  if (first >= 0x80 || magnitude.length > size) {
    fail('CERTIFICATE_SIGNATURE_FORM', `positive integers of at most ${size} bytes`);
  }
  target.set(magnitude, end - magnitude.length);
}

/**
 * Turns Ecdsa-Sig-Value (RFC 3279 §2.2.3) into r and s one after the other, `size` bytes each (48 for P-384): the form
 * that WebCrypto and COSE use.
 * @throws {DerError} when it is not strict DER.
 * @throws {CertificateError} `CERTIFICATE_SIGNATURE_FORM` when an integer is negative or too long.
 */
export function decodeEcdsaSignature(encoded: Uint8Array, size: number): Uint8Array<ArrayBuffer> {
  const outer = new DerReader(encoded);
  const fields = outer.enter(DER_TAG.SEQUENCE);
  outer.expectEnd();
  const signature = new Uint8Array(size * 2);
  placeUnsigned(fields.readInteger(), signature, { end: size, size });
  placeUnsigned(fields.readInteger(), signature, { end: size * 2, size });
  fields.expectEnd();
  return signature;
}
