export { bytesEqual, concatBytes, constantTimeEqual, copyBytes, decodeHex, encodeHex } from './bytes.ts';
export type { CborInput, DecodeCborOptions } from './cbor.ts';
export { decodeCbor, encodeCbor } from './cbor.ts';
export type { CborLimits } from './cbor-reader.ts';
export type { CborErrorCode, CborKey, CborMap, CborValue } from './cbor-value.ts';
export { CborError } from './cbor-value.ts';
export type { AlgorithmIdentifier, Certificate, CertificateErrorCode, CertificateExtension } from './certificate.ts';
export { CertificateError, decodeEcdsaSignature, parseCertificate } from './certificate.ts';
export type { BasicConstraints, KeyUsage } from './certificate-extensions.ts';
export {
  authorityKeyIdentifier,
  basicConstraints,
  keyUsage,
  READ_EXTENSIONS,
  subjectKeyIdentifier,
} from './certificate-extensions.ts';
export type { CoseErrorCode, CoseSign1 } from './cose.ts';
export { CoseError, decodeCoseSign1, encodeCoseSign1, sigStructure } from './cose.ts';
export type { DerBitString, DerElement, DerErrorCode } from './der.ts';
export { DerError, DerReader } from './der.ts';
/** Identifier octets that certificates use (X.690 §8.1.2, RFC 5280). */
export * as DER_TAG from './der-tag.ts';
export type { NameAttribute } from './distinguished-name.ts';
export { decodeDistinguishedName } from './distinguished-name.ts';
export type { ErrorDetails, Refuse } from './error.ts';
export { explain, NitroEnclavesError, refuseWith } from './error.ts';
/** Object identifiers of the extensions that a path check reads (RFC 5280 §4.2.1). */
export * as EXTENSION from './extension.ts';
