import type { BasicConstraints, Certificate, KeyUsage } from '@nitro-enclaves/core';
import {
  authorityKeyIdentifier,
  basicConstraints,
  constantTimeEqual,
  decodeDistinguishedName,
  decodeEcdsaSignature,
  encodeHex,
  keyUsage,
  parseCertificate,
  READ_EXTENSIONS,
  subjectKeyIdentifier,
} from '@nitro-enclaves/core';
import type { CheckName } from './checks.ts';
import { at, refuse } from './error.ts';
import { isSignatureInRange, isUncompressedPoint, P384_FIELD_BYTES, SIGNATURE_RANGE } from './p384.ts';

/** A certificate of a verified chain, as results show it. Its bytes are in the document, at the same place. */
export interface ChainCertificate {
  /** The subject's attributes, such as `CN=aws.nitro-enclaves, C=US`. For showing. */
  readonly subject: string;
  /** The issuer's Name, DER in hexadecimal; with the serial number it names the certificate, as in a policy's `revoked`. */
  readonly issuer: string;
  /** The serial number's INTEGER content, hexadecimal. */
  readonly serialNumber: string;
  /** First moment of validity, in ms since the epoch. */
  readonly notBefore: number;
  /** Last moment of validity, in ms since the epoch. */
  readonly notAfter: number;
}

/** A certificate of a path with what the checks read in it; made once for each certificate. */
export interface PathCertificate {
  readonly certificate: Certificate;
  readonly constraints: BasicConstraints | undefined;
  readonly keyUsage: ReadonlySet<KeyUsage> | undefined;
  readonly subjectKeyIdentifier: Uint8Array | undefined;
  readonly authorityKeyIdentifier: Uint8Array | undefined;
  /** The subject's common name; `undefined` when it has none. */
  readonly commonName: string | undefined;
  /** The same for results. */
  readonly description: ChainCertificate;
  /** The certificate's signature, r and s one after the other. */
  readonly signature: Uint8Array<ArrayBuffer>;
}

/** ecdsa-with-SHA384 without parameters (RFC 5758 §3.2), as encoded. */
const ECDSA_WITH_SHA384 = '300a06082a8648ce3d040303';
/** id-ecPublicKey with the named curve secp384r1 (RFC 5480 §2.1.1), as encoded. */
const P384_KEY_ALGORITHM = '301006072a8648ce3d020106052b81040022';

/** The latest moment that a Date can hold, in ms since the epoch. */
export const LAST_MOMENT = 8.64e15;

/** Another algorithm, or a parameter, is a weaker signature, or a second encoding of the same certificate. */
function checkSignatureAlgorithm({ signatureAlgorithm: { algorithm, encoded } }: Certificate, path: string): void {
  if (encodeHex(encoded) === ECDSA_WITH_SHA384) return;
  refuse('PATH_SIGNATURE_ALGORITHM', path, 'ecdsa-with-SHA384 without parameters', algorithm);
}

/** Whether the point is on the curve is left to the cryptography that makes a key of it. */
function checkPublicKey({ publicKeyAlgorithm: { algorithm, encoded }, publicKey }: Certificate, path: string): void {
  if (encodeHex(encoded) !== P384_KEY_ALGORITHM) {
    refuse('PATH_KEY_ALGORITHM', path, 'a P-384 key', algorithm);
  }
  if (!isUncompressedPoint(publicKey)) refuse('PATH_KEY_POINT', path, 'an uncompressed point');
}

/** Parses one certificate and checks what can be told from it alone. */
export function readPathCertificate(encoded: Uint8Array, path: string): PathCertificate {
  return at(path, () => {
    const certificate = parseCertificate(encoded);
    checkSignatureAlgorithm(certificate, path);
    checkPublicKey(certificate, path);
    const subject = decodeDistinguishedName(certificate.subject);
    const signature = decodeEcdsaSignature(certificate.signature, P384_FIELD_BYTES);
    if (!isSignatureInRange(signature)) refuse('PATH_SIGNATURE_RANGE', path, SIGNATURE_RANGE);
    return {
      certificate,
      constraints: basicConstraints(certificate),
      keyUsage: keyUsage(certificate),
      subjectKeyIdentifier: subjectKeyIdentifier(certificate),
      authorityKeyIdentifier: authorityKeyIdentifier(certificate),
      commonName: subject.find(({ type }) => type === 'CN')?.value,
      description: Object.freeze({
        subject: subject.map(({ type, value }) => `${type}=${value}`).join(', '),
        issuer: encodeHex(certificate.issuer),
        serialNumber: certificate.serialNumber,
        notBefore: certificate.notBefore,
        notAfter: certificate.notAfter,
      }),
      signature,
    };
  });
}

/** A certificate's place in the fixed order root, authorities, leaf. */
export interface PathLink {
  readonly own: PathCertificate;
  /** Where it stands in the document, for errors. */
  readonly path: string;
  /** The one above; `undefined` for the root. */
  readonly issuer: PathLink | undefined;
  /** Authorities that follow below it; -1 for the leaf. */
  readonly authoritiesBelow: number;
  /** Its name in the cache of verified links; `undefined` when its signature is still to be verified. */
  readonly id: number | undefined;
}

/** RFC 5280 §6.1.3 (a)(4), names as bytes; key identifiers where both sides have one (leaves and some authorities have none). */
function checkIssuer({ own, issuer, path }: PathLink): void {
  if (issuer === undefined) return;
  if (!constantTimeEqual(own.certificate.issuer, issuer.own.certificate.subject)) {
    refuse('PATH_ISSUER', path, 'the subject of the certificate above as issuer');
  }
  const expected = issuer.own.subjectKeyIdentifier;
  const found = own.authorityKeyIdentifier;
  if (expected && found && !constantTimeEqual(expected, found)) {
    refuse('PATH_KEY_IDENTIFIER', path, 'the key identifier of the certificate above');
  }
}

/** §3.2.3.2 and RFC 5280 §6.1.4 (k)-(m). Without it any holder of a leaf could issue documents of its own. */
function checkConstraints({ own: { constraints }, authoritiesBelow, path }: PathLink): void {
  const { critical, isCa, pathLength } = constraints ?? {};
  if (authoritiesBelow < 0) {
    if (isCa) refuse('PATH_LEAF_IS_CA', path, 'CA:FALSE', 'CA:TRUE');
    if (pathLength !== undefined) refuse('PATH_LEAF_PATH_LENGTH', path, 'no path length', pathLength);
    return;
  }
  if (!critical) refuse('PATH_BASIC_CONSTRAINTS', path, 'critical basicConstraints');
  if (!isCa) refuse('PATH_NOT_CA', path, 'CA:TRUE', 'CA:FALSE');
  if (pathLength !== undefined && authoritiesBelow > pathLength) {
    refuse('PATH_LENGTH', path, `at most ${pathLength} authorities below`, authoritiesBelow);
  }
}

/** §3.2.3.3 and RFC 5280 §4.2.1.3. A key certified for one use must not serve another. */
function checkKeyUsage({ own: { keyUsage }, authoritiesBelow, path }: PathLink): void {
  if (keyUsage === undefined) refuse('PATH_KEY_USAGE_MISSING', path, 'keyUsage');
  const isLeaf = authoritiesBelow < 0;
  const isAuthority = keyUsage.has('keyCertSign');
  if (isLeaf ? keyUsage.has('digitalSignature') && !isAuthority && !keyUsage.has('cRLSign') : isAuthority) return;
  const expected = isLeaf ? 'digitalSignature, no keyCertSign, no cRLSign' : 'keyCertSign';
  refuse('PATH_KEY_USAGE', path, expected, [...keyUsage]);
}

/** RFC 5280 §4.2: "critical" means that a reader who does not understand it must refuse. */
function checkCriticalExtensions({ own, path }: PathLink): void {
  for (const [identifier, { critical }] of own.certificate.extensions) {
    if (critical && !READ_EXTENSIONS.includes(identifier)) {
      refuse('PATH_CRITICAL_EXTENSION', path, 'no unknown critical extension', identifier);
    }
  }
}

/** A moment for people; a document's own timestamp may lie beyond what a Date can hold. */
function formatMoment(time: number): string {
  return new Date(time).toJSON() ?? `${time} ms`;
}

/**
 * §3.2.3.1, every certificate and the root too. An expired leaf may have been stolen since. In ms: a genuine timestamp lies
 * a tenth of a second after its leaf's notBefore.
 */
function checkValidity({ own: { certificate }, path }: PathLink, now: number): void {
  const { notBefore, notAfter } = certificate;
  if (now < notBefore) {
    refuse('PATH_NOT_YET_VALID', path, `${formatMoment(notBefore)} or later`, formatMoment(now));
  }
  if (now > notAfter) {
    refuse('PATH_EXPIRED', path, `${formatMoment(notAfter)} or earlier`, formatMoment(now));
  }
}

/** attestation_process.md §3.2.3, RFC 5280 §6.1: each rule is held to every certificate of the path. */
export const PATH_RULES: readonly (readonly [check: CheckName, rule: (link: PathLink, now: number) => void])[] = [
  ['certificate-names', checkIssuer],
  ['certificate-constraints', checkConstraints],
  ['key-usage', checkKeyUsage],
  ['critical-extensions', checkCriticalExtensions],
  ['validity', checkValidity],
];
