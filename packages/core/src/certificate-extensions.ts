import type { Certificate } from './certificate.ts';
import type { DerReader } from './der.ts';
import { readDer } from './der.ts';
import * as DER_TAG from './der-tag.ts';
import * as EXTENSION from './extension.ts';

/** Extensions that the functions below read. Any other one that is critical is to be refused (RFC 5280 §4.2). */
export const READ_EXTENSIONS: readonly string[] = [
  EXTENSION.SUBJECT_KEY_IDENTIFIER,
  EXTENSION.KEY_USAGE,
  EXTENSION.BASIC_CONSTRAINTS,
  EXTENSION.AUTHORITY_KEY_IDENTIFIER,
];

/** basicConstraints (RFC 5280 §4.2.1.9). */
export interface BasicConstraints {
  readonly critical: boolean;
  readonly isCa: boolean;
  /** Most authorities that may follow below this one; `undefined` when unlimited. */
  readonly pathLength: number | undefined;
}

/** Reads the extension `identifier` whole, or gives `undefined` when the certificate has none. */
function readExtension<T>(
  { extensions }: Certificate,
  identifier: string,
  read: (reader: DerReader, critical: boolean) => T,
): T | undefined {
  const extension = extensions.get(identifier);
  return extension && readDer(extension.value, (reader) => read(reader, extension.critical));
}

/** The basicConstraints extension, or `undefined` when the certificate has none. */
export function basicConstraints(certificate: Certificate): BasicConstraints | undefined {
  return readExtension(certificate, EXTENSION.BASIC_CONSTRAINTS, (reader, critical) => {
    return reader.readSequence((fields) => ({
      critical,
      isCa: fields.readBooleanDefaultFalse(),
      pathLength: fields.peekTag() === undefined ? undefined : fields.readSmallInteger(),
    }));
  });
}

/** Bits of the keyUsage extension (RFC 5280 §4.2.1.3), in their order. */
const KEY_USAGES = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
] as const;

/** A purpose that a certificate's key may serve. */
export type KeyUsage = (typeof KEY_USAGES)[number];

/** The purposes in the keyUsage extension, or `undefined` when the certificate has none. */
export function keyUsage(certificate: Certificate): ReadonlySet<KeyUsage> | undefined {
  return readExtension(certificate, EXTENSION.KEY_USAGE, (reader) => {
    const { bytes } = reader.readBitString();
    return new Set(KEY_USAGES.filter((_, bit) => (((bytes[bit >> 3] ?? 0) << (bit & 7)) & 0x80) !== 0));
  });
}

/** The subjectKeyIdentifier, or `undefined` when the certificate has none (RFC 5280 §4.2.1.2). */
export function subjectKeyIdentifier(certificate: Certificate): Uint8Array | undefined {
  return readExtension(
    certificate,
    EXTENSION.SUBJECT_KEY_IDENTIFIER,
    (reader) => reader.read(DER_TAG.OCTET_STRING).content,
  );
}

const KEY_IDENTIFIER_TAG = 0x80;

/** The keyIdentifier of the authorityKeyIdentifier, or `undefined` when there is none (RFC 5280 §4.2.1.1). */
export function authorityKeyIdentifier(certificate: Certificate): Uint8Array | undefined {
  return readExtension(certificate, EXTENSION.AUTHORITY_KEY_IDENTIFIER, (reader) => {
    return reader.readSequence((fields) => {
      const identifier = fields.readOptional(KEY_IDENTIFIER_TAG);
      while (fields.peekTag() !== undefined) fields.readAny();
      return identifier?.content;
    });
  });
}
