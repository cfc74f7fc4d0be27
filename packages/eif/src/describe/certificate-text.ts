import type { NameAttribute } from '@nitro-enclaves/core';
import { decodeDistinguishedName, encodeHex } from '@nitro-enclaves/core';
import type { SigningCertificate } from '../sign/certificate.ts';

/** OpenSSL's long names, by the short names and object identifiers that the name's decoder gives. */
const LONG_NAMES: ReadonlyMap<string, string> = new Map([
  ['CN', 'commonName'],
  ['C', 'countryName'],
  ['L', 'localityName'],
  ['ST', 'stateOrProvinceName'],
  ['O', 'organizationName'],
  ['OU', 'organizationalUnitName'],
  ['2.5.4.4', 'surname'],
  ['2.5.4.5', 'serialNumber'],
  ['2.5.4.9', 'streetAddress'],
  ['2.5.4.12', 'title'],
  ['2.5.4.13', 'description'],
  ['2.5.4.17', 'postalCode'],
  ['2.5.4.42', 'givenName'],
  ['2.5.4.43', 'initials'],
  ['2.5.4.46', 'dnQualifier'],
  ['1.2.840.113549.1.9.1', 'emailAddress'],
  ['0.9.2342.19200300.100.1.1', 'userId'],
  ['0.9.2342.19200300.100.1.25', 'domainComponent'],
]);

const ALGORITHMS: ReadonlyMap<string, string> = new Map([
  ['1.2.840.10045.4.1', 'ecdsa-with-SHA1'],
  ['1.2.840.10045.4.3.1', 'ecdsa-with-SHA224'],
  ['1.2.840.10045.4.3.2', 'ecdsa-with-SHA256'],
  ['1.2.840.10045.4.3.3', 'ecdsa-with-SHA384'],
  ['1.2.840.10045.4.3.4', 'ecdsa-with-SHA512'],
  ['1.2.840.113549.1.1.5', 'sha1WithRSAEncryption'],
  ['1.2.840.113549.1.1.10', 'rsassaPss'],
  ['1.2.840.113549.1.1.11', 'sha256WithRSAEncryption'],
  ['1.2.840.113549.1.1.12', 'sha384WithRSAEncryption'],
  ['1.2.840.113549.1.1.13', 'sha512WithRSAEncryption'],
  ['1.3.101.112', 'ED25519'],
  ['1.3.101.113', 'ED448'],
]);

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** A time as OpenSSL prints it: `Jan  2 03:04:05 2024 GMT`. */
function formatTime(milliseconds: number): string {
  const time = new Date(milliseconds);
  const clock = time.toISOString().slice(11, 19);
  const day = String(time.getUTCDate()).padStart(2, ' ');
  return `${MONTHS[time.getUTCMonth()]} ${day} ${clock} ${time.getUTCFullYear()} GMT`;
}

function formatName(name: Uint8Array): Record<string, string> {
  const attributes = decodeDistinguishedName(name).map(({ type, value }: NameAttribute): [string, string] => [
    LONG_NAMES.get(type) ?? type,
    value,
  ]);
  return Object.fromEntries(attributes.sort(([left], [right]) => (left < right ? -1 : 1)));
}

/** A signing certificate as `nitro-cli describe-eif` shows it. */
export interface SigningCertificateText {
  readonly IssuerName: Readonly<Record<string, string>>;
  readonly Algorithm: string;
  readonly NotBefore: string;
  readonly NotAfter: string;
  /** Upper-case hexadecimal, a colon between bytes. */
  readonly Signature: string;
}

/** Writes a certificate's fields the way `nitro-cli describe-eif` does. */
export function formatSigningCertificate(certificate: SigningCertificate): SigningCertificateText {
  return {
    IssuerName: formatName(certificate.issuer),
    Algorithm: ALGORITHMS.get(certificate.signatureAlgorithm) ?? certificate.signatureAlgorithm,
    NotBefore: formatTime(certificate.notBefore),
    NotAfter: formatTime(certificate.notAfter),
    Signature: (encodeHex(certificate.signature).toUpperCase().match(/../g) ?? []).join(':'),
  };
}
