import type { AlgorithmIdentifier } from '@nitro-enclaves/core';
import { copyBytes, DER_TAG, DerError, DerReader } from '@nitro-enclaves/core';
import { fail } from '../error.ts';

/** The signing certificate of an image. Byte fields are as encoded. */
export interface SigningCertificate {
  /** The whole certificate, DER: what PCR8 covers. */
  readonly der: Uint8Array;
  /** The issuer's Name. */
  readonly issuer: Uint8Array;
  /** The subject's Name. */
  readonly subject: Uint8Array;
  /** First moment of validity, in ms since the epoch. */
  readonly notBefore: number;
  /** Last moment of validity, in ms since the epoch. */
  readonly notAfter: number;
  /** The SubjectPublicKeyInfo. */
  readonly subjectPublicKeyInfo: Uint8Array;
  /** How the certificate itself is signed, in dotted decimals. */
  readonly signatureAlgorithm: string;
  /** The certificate's own signature. Nobody checks it: such certificates are self-signed. */
  readonly signature: Uint8Array;
}

const EXPLICIT_VERSION = 0xa0;
const EXPLICIT_EXTENSIONS = 0xa3;
const ISSUER_UNIQUE_ID = 0x81;
const SUBJECT_UNIQUE_ID = 0x82;

function readAlgorithm(reader: DerReader): AlgorithmIdentifier {
  const { whole, content } = reader.read(DER_TAG.SEQUENCE);
  const fields = new DerReader(content);
  const algorithm = fields.readObjectIdentifier();
  const parameters = fields.peekTag() === undefined ? undefined : fields.readAny().whole;
  fields.expectEnd();
  return { algorithm, parameters, encoded: whole };
}

/**
 * The documented way to make a signing certificate (`openssl x509 -req -signkey`) gives version 1, which a path check
 * has to refuse and this one, where there is no path, must not: so the fields are read here.
 */
function readFields(der: Uint8Array): Omit<SigningCertificate, 'der'> {
  const outer = new DerReader(der);
  const certificate = outer.enter(DER_TAG.SEQUENCE);
  outer.expectEnd();
  const tbs = certificate.enter(DER_TAG.SEQUENCE);
  const { algorithm } = readAlgorithm(certificate);
  const signature = certificate.readBitString().bytes;
  certificate.expectEnd();
  tbs.readOptional(EXPLICIT_VERSION);
  tbs.readInteger();
  readAlgorithm(tbs);
  const issuer = tbs.read(DER_TAG.SEQUENCE).whole;
  const validity = tbs.enter(DER_TAG.SEQUENCE);
  const notBefore = validity.readTime();
  const notAfter = validity.readTime();
  validity.expectEnd();
  const subject = tbs.read(DER_TAG.SEQUENCE).whole;
  const subjectPublicKeyInfo = tbs.read(DER_TAG.SEQUENCE).whole;
  for (const tag of [ISSUER_UNIQUE_ID, SUBJECT_UNIQUE_ID, EXPLICIT_EXTENSIONS]) tbs.readOptional(tag);
  tbs.expectEnd();
  return { issuer, subject, notBefore, notAfter, subjectPublicKeyInfo, signatureAlgorithm: algorithm, signature };
}

/**
 * Reads a signing certificate, X.509 v1 or v3, strict DER. Nothing is verified.
 * @throws {EifError} `EIF_CERTIFICATE_DER`.
 */
export function readSigningCertificate(bytes: Uint8Array): SigningCertificate {
  const der = copyBytes(bytes);
  try {
    return { der, ...readFields(der) };
  } catch (cause) {
    if (!(cause instanceof DerError)) throw cause;
    return fail('EIF_CERTIFICATE_DER', 'expected an X.509 certificate in strict DER', { cause });
  }
}

/** A line that OpenSSL takes for a certificate's first; the older name counts as well. */
const PEM_BEGIN = /(?:^|\n)-----BEGIN ((?:X509 )?CERTIFICATE)-----[^\S\n]*\n/;

/**
 * The base64 of the first certificate. Marks inside of a line are none, and a first certificate that is not whole is not
 * passed over: OpenSSL, by which the platform reads this, would find another one than we then.
 */
function firstCertificate(text: string): string {
  const begin = PEM_BEGIN.exec(text);
  if (begin === null) fail('EIF_CERTIFICATE_PEM', 'expected a line "-----BEGIN CERTIFICATE-----", found none');
  const rest = text.slice(begin.index + begin[0].length);
  const body = rest.slice(0, Math.max(0, rest.indexOf(`-----END ${begin[1]}-----`)));
  if (!/^(?:[A-Za-z0-9+/=]+\s*\n)+$/.test(body)) {
    fail('EIF_CERTIFICATE_PEM', 'expected lines of base64 behind the first "BEGIN CERTIFICATE", and its end');
  }
  return body.replace(/\s/g, '');
}

/**
 * Reads the first certificate of a PEM file, as the platform does: text around it and certificates behind it count for
 * nothing.
 * @throws {EifError} `EIF_CERTIFICATE_PEM` or `EIF_CERTIFICATE_DER`.
 */
export function parsePemCertificate(pem: Uint8Array | string): SigningCertificate {
  const text = typeof pem === 'string' ? pem : new TextDecoder('latin1').decode(pem);
  const base64 = firstCertificate(text);
  let decoded: string;
  try {
    decoded = atob(base64);
  } catch (cause) {
    return fail('EIF_CERTIFICATE_PEM', 'expected base64 inside the PEM certificate', { cause });
  }
  return readSigningCertificate(Uint8Array.from(decoded, (character) => character.charCodeAt(0)));
}
