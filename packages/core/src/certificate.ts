import { constantTimeEqual, copyBytes, encodeHex } from './bytes.ts';
import type { DerReader } from './der.ts';
import { readDerSequence } from './der.ts';
import * as DER_TAG from './der-tag.ts';
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

function readAlgorithmIdentifier(reader: DerReader): AlgorithmIdentifier {
  return reader.readSequence((fields, start) => ({
    algorithm: fields.readObjectIdentifier(),
    parameters: fields.peekTag() === undefined ? undefined : fields.readAny().whole,
    encoded: reader.encodedSince(start),
  }));
}

/** Versions 1 and 2 have no basicConstraints: every holder of one would be an authority. */
function readVersion(tbs: DerReader): void {
  // DEFAULT v1, which is encoded as 0.
  const isStated = tbs.peekTag() === VERSION_TAG;
  const version = isStated ? tbs.readSequence((explicit) => explicit.readSmallInteger(), VERSION_TAG) : 0;
  if (version !== VERSION_3) fail('CERTIFICATE_VERSION', 'version 3', version + 1);
}

/** Bits of a key or signature: whole bytes only, so that there is one encoding of each. */
function readWholeBytes(reader: DerReader): Uint8Array {
  const { unusedBits, bytes } = reader.readBitString();
  if (unusedBits === 0) return bytes;
  fail('CERTIFICATE_BIT_STRING_UNUSED_BITS', 'whole bytes', `${unusedBits} unused bits`);
}

function readExtension(list: DerReader, extensions: Map<string, CertificateExtension>): void {
  list.readSequence((fields) => {
    const identifier = fields.readObjectIdentifier();
    const critical = fields.readBooleanDefaultFalse();
    const value = fields.read(DER_TAG.OCTET_STRING).content;
    // RFC 5280 §4.2: two readers could each act on another of the two.
    if (extensions.has(identifier)) fail('CERTIFICATE_DUPLICATE_EXTENSION', 'each extension once', identifier);
    extensions.set(identifier, { critical, value });
  });
}

function readExtensions(tbs: DerReader): Map<string, CertificateExtension> {
  const extensions = new Map<string, CertificateExtension>();
  if (tbs.peekTag() !== EXTENSIONS_TAG) return extensions;
  tbs.readSequence((explicit) => {
    explicit.readSequence((list) => {
      // SEQUENCE SIZE (1..MAX): an empty one has no extension to read.
      do readExtension(list, extensions);
      while (list.peekTag() !== undefined);
    });
  }, EXTENSIONS_TAG);
  return extensions;
}

function readSubjectPublicKeyInfo(
  tbs: DerReader,
): Pick<Certificate, 'subjectPublicKeyInfo' | 'publicKeyAlgorithm' | 'publicKey'> {
  return tbs.readSequence((fields, start) => ({
    subjectPublicKeyInfo: tbs.encodedSince(start),
    publicKeyAlgorithm: readAlgorithmIdentifier(fields),
    publicKey: readWholeBytes(fields),
  }));
}

function readValidity(tbs: DerReader): Pick<Certificate, 'notBefore' | 'notAfter'> {
  return tbs.readSequence((fields) => ({ notBefore: fields.readTime(), notAfter: fields.readTime() }));
}

/** The fields in their order: each is read where the one before it ends. */
function readTbs(fields: DerReader): Omit<Certificate, 'encoded' | 'tbs' | 'signature'> {
  readVersion(fields);
  return {
    serialNumber: encodeHex(fields.readInteger()),
    signatureAlgorithm: readAlgorithmIdentifier(fields),
    issuer: fields.readWholeSequence(),
    ...readValidity(fields),
    subject: fields.readWholeSequence(),
    ...readSubjectPublicKeyInfo(fields),
    extensions: readExtensions(fields),
  };
}

/**
 * Reads an X.509 v3 certificate from a private copy of `encoded`. Every field is consumed, strictly DER; nothing is
 * trusted or verified. Source: RFC 5280 §4.1.
 * @throws {DerError} when the bytes are not strict DER of that structure.
 * @throws {CertificateError} when a rule of RFC 5280 is broken.
 */
export function parseCertificate(encoded: Uint8Array): Certificate {
  const copy = copyBytes(encoded);
  return readDerSequence(copy, (fields) => {
    const certificate = fields.readSequence((tbs, start) => ({ tbs: fields.encodedSince(start), ...readTbs(tbs) }));
    const { signatureAlgorithm: inner } = certificate;
    const outer = readAlgorithmIdentifier(fields);
    // RFC 5280 §4.1.1.2: the outer one is not signed; a difference is an attempt at another algorithm.
    if (!constantTimeEqual(outer.encoded, inner.encoded)) {
      fail('CERTIFICATE_SIGNATURE_ALGORITHM_MISMATCH', inner.algorithm, outer.algorithm);
    }
    return { encoded: copy, ...certificate, signature: readWholeBytes(fields) };
  });
}

/**
 * Turns Ecdsa-Sig-Value (RFC 3279 §2.2.3) into r and s one after the other, `size` bytes each (48 for P-384): the form
 * that WebCrypto and COSE use.
 * @throws {DerError} when it is not strict DER.
 * @throws {CertificateError} `CERTIFICATE_SIGNATURE_FORM` when an integer is negative or too long.
 */
export function decodeEcdsaSignature(encoded: Uint8Array, size: number): Uint8Array<ArrayBuffer> {
  const signature = new Uint8Array(size * 2);
  readDerSequence(encoded, (fields) => {
    for (const end of [size, size * 2]) {
      const integer = fields.readInteger();
      const [first = 0] = integer;
      const magnitude = integer.subarray(first === 0 ? 1 : 0);
      if (first >= 0x80 || magnitude.length > size) {
        fail('CERTIFICATE_SIGNATURE_FORM', `positive integers of at most ${size} bytes`);
      }
      signature.set(magnitude, end - magnitude.length);
    }
  });
  return signature;
}
