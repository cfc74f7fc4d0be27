import type { BasicConstraints, Certificate, KeyUsage, NameAttribute } from '@nitro-enclaves/core';
import {
  authorityKeyIdentifier,
  basicConstraints,
  bytesEqual,
  decodeDistinguishedName,
  decodeEcdsaSignature,
  EXTENSION,
  keyUsage,
  parseCertificate,
  subjectKeyIdentifier,
} from '@nitro-enclaves/core';
import type { AttestationErrorCode } from './error.ts';
import { AttestationError, at } from './error.ts';
import { isOnCurve, isSignatureInRange, isUncompressedPoint, P384_FIELD_BYTES } from './p384.ts';

/** A certificate of a path with what the checks read in it; made once for each certificate. */
export interface PathCertificate {
  readonly certificate: Certificate;
  readonly constraints: BasicConstraints | undefined;
  readonly keyUsage: ReadonlySet<KeyUsage> | undefined;
  readonly subjectKeyIdentifier: Uint8Array | undefined;
  readonly authorityKeyIdentifier: Uint8Array | undefined;
  /** The subject's attributes, such as CN. */
  readonly subjectAttributes: readonly NameAttribute[];
  /** The certificate's signature, r and s one after the other. */
  readonly signature: Uint8Array<ArrayBuffer>;
}

/** ecdsa-with-SHA384 (RFC 5758 §3.2). */
const ECDSA_WITH_SHA384 = '1.2.840.10045.4.3.3';
/** id-ecPublicKey with the named curve secp384r1 (RFC 5480 §2.1.1), as encoded. */
const P384_KEY_ALGORITHM = Uint8Array.of(
  ...[0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01],
  ...[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22],
);

/** Extensions that the checks below act on. Any other one that is critical is refused. */
const UNDERSTOOD: ReadonlySet<string> = new Set([
  EXTENSION.BASIC_CONSTRAINTS,
  EXTENSION.KEY_USAGE,
  EXTENSION.SUBJECT_KEY_IDENTIFIER,
  EXTENSION.AUTHORITY_KEY_IDENTIFIER,
]);

/** The latest moment that a Date can hold, in ms since the epoch. */
export const LAST_MOMENT = 8.64e15;

function refuse(code: AttestationErrorCode, path: string, sentence: string): never {
  throw new AttestationError(code, `${path}: ${sentence}`, { path });
}

/** Another algorithm, or a parameter, is a weaker signature, or a second encoding of the same certificate. */
function checkSignatureAlgorithm({ signatureAlgorithm }: Certificate, path: string): void {
  if (signatureAlgorithm.algorithm === ECDSA_WITH_SHA384 && signatureAlgorithm.parameters === undefined) return;
  refuse(
    'PATH_SIGNATURE_ALGORITHM',
    path,
    `expected ecdsa-with-SHA384 without parameters, found ${signatureAlgorithm.algorithm}`,
  );
}

/** A point off the curve is in a smaller group, whose signatures can be forged. */
function checkPublicKey({ publicKeyAlgorithm, publicKey }: Certificate, path: string): void {
  if (!bytesEqual(publicKeyAlgorithm.encoded, P384_KEY_ALGORITHM)) {
    refuse(
      'PATH_KEY_ALGORITHM',
      path,
      `expected an EC key on secp384r1, found ${publicKeyAlgorithm.algorithm} or another curve`,
    );
  }
  if (!isUncompressedPoint(publicKey))
    refuse('PATH_KEY_POINT', path, 'expected the key as an uncompressed point of 97 bytes');
  if (!isOnCurve(publicKey)) refuse('PATH_KEY_NOT_ON_CURVE', path, 'expected the key to be a point of the curve');
}

/** Parses one certificate and checks what can be told from it alone. */
export function readPathCertificate(encoded: Uint8Array, path: string): PathCertificate {
  return at(path, () => {
    const certificate = parseCertificate(encoded);
    checkSignatureAlgorithm(certificate, path);
    checkPublicKey(certificate, path);
    const signature = decodeEcdsaSignature(certificate.signature, P384_FIELD_BYTES);
    if (!isSignatureInRange(signature))
      refuse('PATH_SIGNATURE_RANGE', path, 'expected r and s from 1 to the group order');
    return {
      certificate,
      constraints: basicConstraints(certificate),
      keyUsage: keyUsage(certificate),
      subjectKeyIdentifier: subjectKeyIdentifier(certificate),
      authorityKeyIdentifier: authorityKeyIdentifier(certificate),
      subjectAttributes: decodeDistinguishedName(certificate.subject),
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
  readonly issuer: PathCertificate | undefined;
  /** Authorities that follow below it. */
  readonly authoritiesBelow: number;
  readonly isLeaf: boolean;
}

/** RFC 5280 §6.1.3 (a)(4), names as bytes; key identifiers where both sides have one (leaves and some authorities have none). */
export function checkIssuer({ own, issuer, path }: PathLink): void {
  if (issuer === undefined) return;
  if (!bytesEqual(own.certificate.issuer, issuer.certificate.subject)) {
    refuse('PATH_ISSUER', path, 'expected the issuer to be the subject of the certificate above, found another name');
  }
  const expected = issuer.subjectKeyIdentifier;
  const found = own.authorityKeyIdentifier;
  if (expected !== undefined && found !== undefined && !bytesEqual(expected, found)) {
    refuse('PATH_KEY_IDENTIFIER', path, 'expected the authority key identifier to be that of the certificate above');
  }
}

/** §3.2.3.2 and RFC 5280 §6.1.4 (k)-(m). Without it any holder of a leaf could issue documents of its own. */
export function checkConstraints({ own: { constraints }, authoritiesBelow, isLeaf, path }: PathLink): void {
  if (isLeaf) checkLeafConstraints(constraints, path);
  else checkAuthorityConstraints(constraints, authoritiesBelow, path);
}

function checkAuthorityConstraints(constraints: BasicConstraints | undefined, below: number, path: string): void {
  if (constraints === undefined || !constraints.critical) {
    refuse('PATH_BASIC_CONSTRAINTS', path, 'expected an authority to have critical basicConstraints');
  }
  if (!constraints.isCa) refuse('PATH_NOT_CA', path, 'expected an authority (CA:TRUE), found CA:FALSE');
  if (constraints.pathLength !== undefined && below > constraints.pathLength) {
    refuse('PATH_LENGTH', path, `expected at most ${constraints.pathLength} authorities below, found ${below}`);
  }
}

function checkLeafConstraints(constraints: BasicConstraints | undefined, path: string): void {
  if (constraints?.isCa) refuse('PATH_LEAF_IS_CA', path, 'expected the leaf to be no authority, found CA:TRUE');
  if (constraints?.pathLength !== undefined)
    refuse('PATH_LEAF_PATH_LENGTH', path, 'expected the leaf to have no path length');
}

/** §3.2.3.3 and RFC 5280 §4.2.1.3. A key certified for one use must not serve another. */
export function checkKeyUsage({ own, isLeaf, path }: PathLink): void {
  const usage = own.keyUsage;
  if (usage === undefined) refuse('PATH_KEY_USAGE_MISSING', path, 'expected a keyUsage extension, found none');
  const needed: KeyUsage = isLeaf ? 'digitalSignature' : 'keyCertSign';
  if (!usage.has(needed)) refuse('PATH_KEY_USAGE', path, `expected keyUsage ${needed}, found ${[...usage].join(', ')}`);
  if (isLeaf && (usage.has('keyCertSign') || usage.has('cRLSign'))) {
    refuse('PATH_KEY_USAGE', path, 'expected the leaf not to sign certificates or lists, found keyCertSign or cRLSign');
  }
}

/** RFC 5280 §4.2: "critical" means that a reader who does not understand it must refuse. */
export function checkCriticalExtensions({ own, path }: PathLink): void {
  for (const [identifier, { critical }] of own.certificate.extensions) {
    if (critical && !UNDERSTOOD.has(identifier)) {
      refuse('PATH_CRITICAL_EXTENSION', path, `found the critical extension ${identifier}, unknown here`);
    }
  }
}

/** A moment for people; a document's own timestamp may lie beyond what a Date can hold. */
function formatMoment(time: number): string {
  return time <= LAST_MOMENT ? new Date(time).toISOString() : `${time} ms`;
}

/**
 * §3.2.3.1, every certificate and the root too. An expired leaf may have been stolen since. In ms: a genuine timestamp lies
 * a tenth of a second after its leaf's notBefore.
 */
export function checkValidity({ own: { certificate }, path }: PathLink, now: number): void {
  const { notBefore, notAfter } = certificate;
  if (now < notBefore) {
    const span = `valid from ${formatMoment(notBefore)}, the evaluation time is ${formatMoment(now)}`;
    refuse(
      'PATH_NOT_YET_VALID',
      path,
      `expected a certificate that is valid already, found one ${span}: check the clock`,
    );
  }
  if (now > notAfter) {
    const span = `valid to ${formatMoment(notAfter)}, the evaluation time is ${formatMoment(now)}`;
    refuse(
      'PATH_EXPIRED',
      path,
      `expected a certificate that is still valid, found one ${span}: ask for a new document`,
    );
  }
}
