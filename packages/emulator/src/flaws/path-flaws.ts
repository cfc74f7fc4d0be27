import { concatBytes } from '@nitro-enclaves/core';
import type { CertificateAlteration, CertificateProfile } from '../pki/certificate.ts';
import { ECDSA_WITH_SHA384 } from '../pki/certificate.ts';
import { encodeDer } from '../pki/der-writer.ts';
import { P384KeyPair } from '../pki/p384-key.ts';
import { AuthorityKeyIdentifierExtension, Extension, Name } from '../pki/x509.ts';
import { Seed } from '../seed.ts';
import { atLevel, BASIC_CONSTRAINTS, changeExtensions, KEY_USAGE, setExtension } from './certificate-flaws.ts';
import { bytesOf, flipBit, replaceBytes } from './edit.ts';
import type { Flaw } from './flaw.ts';
import { flaw } from './flaw.ts';

/** Names of {@link PATH_FLAWS}. */
export type PathFlawName =
  | 'root-foreign'
  | 'root-altered'
  | 'root-left-out'
  | 'path-reversed'
  | 'path-authority-left-out'
  | 'path-issuer-other-name'
  | 'path-other-key-identifier'
  | 'path-sha256-signatures'
  | 'path-algorithm-parameters'
  | 'path-key-p256'
  | 'path-key-other-curve'
  | 'path-key-for-agreement'
  | 'path-key-compressed'
  | 'path-key-off-curve'
  | 'path-key-coordinate-too-large'
  | 'path-constraints-missing'
  | 'path-constraints-not-critical'
  | 'path-authority-not-ca'
  | 'path-length-exceeded'
  | 'path-leaf-is-ca'
  | 'path-leaf-path-length'
  | 'path-authority-key-usage-missing'
  | 'path-leaf-key-usage-missing'
  | 'path-authority-may-not-sign'
  | 'path-leaf-may-not-sign'
  | 'path-leaf-signs-certificates'
  | 'path-critical-extension'
  | 'path-leaf-not-yet-valid'
  | 'path-leaf-expired'
  | 'path-instance-expired'
  | 'path-zonal-not-yet-valid'
  | 'path-regional-expired'
  | 'path-signature-zero'
  | 'path-signature-out-of-range'
  | 'path-leaf-signed-by-stranger'
  | 'path-instance-signed-by-stranger'
  | 'path-certificate-changed-after-signing';

/** A key that certifies nothing: what a forger has. */
export const STRANGER: P384KeyPair = P384KeyPair.derive(Seed.from('a key that nobody certified'), 'stranger');

const AUTHORITY_KEY_IDENTIFIER = '2.5.29.35';
const DAY = 24 * 3_600_000;

function changeProfile(change: (profile: CertificateProfile) => Partial<CertificateProfile>): CertificateAlteration {
  return { profile: (profile) => ({ ...profile, ...change(profile) }) };
}

function without(identifier: string): CertificateAlteration {
  return changeExtensions((extensions) => extensions.filter(({ type }) => type !== identifier));
}

function changeBundle(change: (bundle: readonly Uint8Array[]) => readonly unknown[]): Flaw['issue'] {
  return {
    alterations: { fields: (fields) => fields.set('cabundle', change(fields.get('cabundle') as Uint8Array[])) },
  };
}

/** Moves the validity so that it lies `days` beside what it should be. */
function shiftValidity(days: number): CertificateAlteration {
  return changeProfile(({ notBefore, notAfter }) => ({
    notBefore: notBefore + days * DAY,
    notAfter: notAfter + days * DAY,
  }));
}

const POINT_BYTES = 97;
const COORDINATE_BYTES = 48;

function changePoint(change: (point: Uint8Array) => Uint8Array): CertificateAlteration {
  return changeProfile(({ subjectPublicKeyInfo }) => {
    const split = subjectPublicKeyInfo.length - POINT_BYTES;
    return {
      subjectPublicKeyInfo: concatBytes(
        subjectPublicKeyInfo.subarray(0, split),
        change(subjectPublicKeyInfo.subarray(split)),
      ),
    };
  });
}

/** id-ecPublicKey, and id-ecDH of keys that are for key agreement alone (RFC 5480 §2.1). */
const EC_PUBLIC_KEY = [0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const EC_DH = [0x06, 0x05, 0x2b, 0x81, 0x04, 0x01, 0x0c];

/** SubjectPublicKeyInfo of an EC key. */
function encodeEcKey(
  curve: readonly number[],
  point: Uint8Array,
  algorithm: readonly number[] = EC_PUBLIC_KEY,
): Uint8Array<ArrayBuffer> {
  return encodeDer(0x30, encodeDer(0x30, bytesOf(...algorithm), bytesOf(...curve)), encodeDer(0x03, bytesOf(0), point));
}

const SECP256R1 = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const BRAINPOOL_P384R1 = [0x06, 0x09, 0x2b, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x0b];
const SECP384R1 = [0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];
/** The generator of P-256: a point like any other. */
const P256_POINT = Buffer.from(
  '046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5',
  'hex',
);

/** Point compression (SEC 1 §2.3.3): the parity of y, and x. */
function compressPoint(point: Uint8Array): Uint8Array {
  return concatBytes(bytesOf(2 + ((point.at(-1) ?? 0) & 1)), point.subarray(1, 1 + COORDINATE_BYTES));
}

const ECDSA_WITH_SHA256 = concatBytes(ECDSA_WITH_SHA384.subarray(0, -1), bytesOf(0x02));
const ECDSA_WITH_SHA384_AND_NULL = encodeDer(0x30, ECDSA_WITH_SHA384.subarray(2), bytesOf(0x05, 0x00));

const GROUP_ORDER = Buffer.from(
  'ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973',
  'hex',
);

/** Sets s. */
function setS(s: Uint8Array): CertificateAlteration {
  return { signature: (signature) => concatBytes(signature.subarray(0, COORDINATE_BYTES), s) };
}

function inLeaf(breaks: string, code: Flaw['code'], alteration: CertificateAlteration): Flaw {
  return flaw(breaks, code, atLevel('leaf', alteration));
}

function inInstance(breaks: string, code: Flaw['code'], alteration: CertificateAlteration): Flaw {
  return flaw(breaks, code, atLevel('instance', alteration));
}

/** What is wrong with the chain of well-encoded certificates. */
export const PATH_FLAWS: Readonly<Record<PathFlawName, Flaw>> = {
  'root-foreign': {
    breaks: 'The whole chain is of another PKI that looks the same',
    code: 'TRUST_ANCHOR',
    issue: { foreignSeed: 'a PKI that nobody trusts' },
  },
  'root-altered': flaw('The root of the chain is not the pinned one byte for byte', 'TRUST_ANCHOR', {
    ...atLevel(
      'root',
      changeProfile(({ notAfter }) => ({ notAfter: notAfter + DAY })),
    ),
  }),
  'root-left-out': {
    breaks: 'The chain begins below the root',
    code: 'TRUST_ANCHOR',
    issue: changeBundle(([, ...rest]) => rest),
  },
  'path-reversed': {
    breaks: 'The authorities below the root stand in reverse order',
    code: 'PATH_ISSUER',
    issue: changeBundle(([root, ...rest]) => [root, ...rest.reverse()]),
  },
  'path-authority-left-out': {
    breaks: 'The zonal authority is missing',
    code: 'PATH_ISSUER',
    issue: changeBundle(([root, regional, , instance]) => [root, regional, instance]),
  },
  'path-issuer-other-name': inInstance(
    'The instance authority names another issuer',
    'PATH_ISSUER',
    changeProfile(() => ({ issuer: new Name([{ CN: [{ utf8String: 'somebody.else' }] }]) })),
  ),
  'path-other-key-identifier': inInstance(
    'The instance authority names another key of its issuer',
    'PATH_KEY_IDENTIFIER',
    changeExtensions((extensions) =>
      extensions.map((extension) =>
        extension.type === AUTHORITY_KEY_IDENTIFIER
          ? new AuthorityKeyIdentifierExtension(STRANGER.identifier)
          : extension,
      ),
    ),
  ),
  'path-sha256-signatures': inInstance('The instance authority is signed with SHA-256', 'PATH_SIGNATURE_ALGORITHM', {
    tbs: (tbs) => replaceBytes(tbs, { found: ECDSA_WITH_SHA384, replacement: ECDSA_WITH_SHA256 }),
    signatureAlgorithm: () => ECDSA_WITH_SHA256,
  }),
  'path-algorithm-parameters': inLeaf(
    'The signature algorithm of the leaf has parameters',
    'PATH_SIGNATURE_ALGORITHM',
    {
      tbs: withAlgorithmParameters,
      signatureAlgorithm: () => ECDSA_WITH_SHA384_AND_NULL,
    },
  ),
  'path-key-p256': inLeaf(
    'The key of the leaf is on P-256',
    'PATH_KEY_ALGORITHM',
    changeProfile(() => ({ subjectPublicKeyInfo: encodeEcKey(SECP256R1, P256_POINT) })),
  ),
  'path-key-other-curve': inLeaf(
    'The key of the leaf is said to be on another curve of the same size',
    'PATH_KEY_ALGORITHM',
    changeProfile(({ subjectPublicKeyInfo }) => ({
      subjectPublicKeyInfo: encodeEcKey(BRAINPOOL_P384R1, subjectPublicKeyInfo.subarray(-POINT_BYTES)),
    })),
  ),
  'path-key-for-agreement': inInstance(
    'The key of the instance authority is for key agreement alone',
    'PATH_KEY_ALGORITHM',
    changeProfile(({ subjectPublicKeyInfo }) => ({
      subjectPublicKeyInfo: encodeEcKey(SECP384R1, subjectPublicKeyInfo.subarray(-POINT_BYTES), EC_DH),
    })),
  ),
  'path-key-compressed': inLeaf(
    'The key of the leaf is a compressed point',
    'PATH_KEY_POINT',
    changeProfile(({ subjectPublicKeyInfo }) => ({
      subjectPublicKeyInfo: encodeEcKey(SECP384R1, compressPoint(subjectPublicKeyInfo.subarray(-POINT_BYTES))),
    })),
  ),
  'path-key-off-curve': inInstance(
    'The key of the instance authority is not on the curve',
    'PATH_KEY_NOT_ON_CURVE',
    changePoint((point) => flipBit(point, -1)),
  ),
  'path-key-coordinate-too-large': inLeaf(
    'A coordinate of the key of the leaf is beyond the field',
    'PATH_KEY_NOT_ON_CURVE',
    changePoint((point) =>
      concatBytes(
        point.subarray(0, 1),
        new Uint8Array(COORDINATE_BYTES).fill(0xff),
        point.subarray(1 + COORDINATE_BYTES),
      ),
    ),
  ),
  'path-constraints-missing': inInstance(
    'The instance authority has no basic constraints',
    'PATH_BASIC_CONSTRAINTS',
    without(BASIC_CONSTRAINTS),
  ),
  'path-constraints-not-critical': inInstance(
    'The basic constraints of the instance authority are not critical',
    'PATH_BASIC_CONSTRAINTS',
    setExtension(BASIC_CONSTRAINTS, bytesOf(0x30, 0x06, 0x01, 0x01, 0xff, 0x02, 0x01, 0x00), false),
  ),
  'path-authority-not-ca': inInstance(
    'The instance authority is no authority',
    'PATH_NOT_CA',
    setExtension(BASIC_CONSTRAINTS, bytesOf(0x30, 0x00)),
  ),
  'path-length-exceeded': flaw(
    'The zonal authority allows no authority below it',
    'PATH_LENGTH',
    atLevel('zonal', setExtension(BASIC_CONSTRAINTS, bytesOf(0x30, 0x06, 0x01, 0x01, 0xff, 0x02, 0x01, 0x00))),
  ),
  'path-leaf-is-ca': inLeaf(
    'The leaf is an authority',
    'PATH_LEAF_IS_CA',
    setExtension(BASIC_CONSTRAINTS, bytesOf(0x30, 0x03, 0x01, 0x01, 0xff)),
  ),
  'path-leaf-path-length': inLeaf(
    'The leaf has a path length',
    'PATH_LEAF_PATH_LENGTH',
    setExtension(BASIC_CONSTRAINTS, bytesOf(0x30, 0x03, 0x02, 0x01, 0x00)),
  ),
  'path-authority-key-usage-missing': inInstance(
    'The instance authority states no key usage',
    'PATH_KEY_USAGE_MISSING',
    without(KEY_USAGE),
  ),
  'path-leaf-key-usage-missing': inLeaf('The leaf states no key usage', 'PATH_KEY_USAGE_MISSING', without(KEY_USAGE)),
  'path-authority-may-not-sign': inInstance(
    'The key of the instance authority may not sign certificates',
    'PATH_KEY_USAGE',
    setExtension(KEY_USAGE, bytesOf(0x03, 0x02, 0x07, 0x80)),
  ),
  'path-leaf-may-not-sign': inLeaf(
    'The key of the leaf is not for signatures',
    'PATH_KEY_USAGE',
    setExtension(KEY_USAGE, bytesOf(0x03, 0x02, 0x03, 0x08)),
  ),
  'path-leaf-signs-certificates': inLeaf(
    'The key of the leaf may sign certificates',
    'PATH_KEY_USAGE',
    setExtension(KEY_USAGE, bytesOf(0x03, 0x02, 0x02, 0x84)),
  ),
  'path-critical-extension': inLeaf(
    'The leaf has a critical extension that nobody knows',
    'PATH_CRITICAL_EXTENSION',
    changeExtensions((extensions) => [
      ...extensions,
      new Extension('1.3.6.1.4.1.99999.1', true, bytesOf(0x05, 0x00).slice()),
    ]),
  ),
  'path-leaf-not-yet-valid': inLeaf('The leaf is not valid yet', 'PATH_NOT_YET_VALID', shiftValidity(1)),
  'path-leaf-expired': inLeaf('The leaf has expired', 'PATH_EXPIRED', shiftValidity(-1)),
  'path-instance-expired': inInstance('The instance authority has expired', 'PATH_EXPIRED', shiftValidity(-2)),
  'path-zonal-not-yet-valid': flaw(
    'The zonal authority is not valid yet',
    'PATH_NOT_YET_VALID',
    atLevel('zonal', shiftValidity(7)),
  ),
  'path-regional-expired': flaw(
    'The regional authority has expired',
    'PATH_EXPIRED',
    atLevel('regional', shiftValidity(-30)),
  ),
  'path-signature-zero': inLeaf(
    'The signature of the leaf has s = 0',
    'PATH_SIGNATURE_RANGE',
    setS(new Uint8Array(COORDINATE_BYTES)),
  ),
  'path-signature-out-of-range': inInstance(
    'The signature of the instance authority has s = n',
    'PATH_SIGNATURE_RANGE',
    setS(GROUP_ORDER),
  ),
  'path-leaf-signed-by-stranger': inLeaf('The leaf is signed by a stranger', 'PATH_SIGNATURE', { signer: STRANGER }),
  'path-instance-signed-by-stranger': inInstance('The instance authority is signed by a stranger', 'PATH_SIGNATURE', {
    signer: STRANGER,
  }),
  'path-certificate-changed-after-signing': flaw(
    'The serial number of the zonal authority was changed after it was signed',
    'PATH_SIGNATURE',
    atLevel('zonal', { encoded: changeSerialNumber }),
  ),
};

/** Certificate head, TBSCertificate head, version, INTEGER head: then the serial number. */
const SERIAL_NUMBER_OFFSET = 4 + 4 + 5 + 2;

function changeSerialNumber(certificate: Uint8Array): Uint8Array {
  const length = certificate[SERIAL_NUMBER_OFFSET - 1] ?? 1;
  return flipBit(certificate, SERIAL_NUMBER_OFFSET + length - 1);
}

/** Puts a NULL behind the signed algorithm; two bytes more in a SEQUENCE whose length takes two bytes. */
function withAlgorithmParameters(tbs: Uint8Array): Uint8Array {
  const start = Buffer.from(tbs).indexOf(ECDSA_WITH_SHA384);
  return encodeDer(
    0x30,
    tbs.subarray(4, start),
    ECDSA_WITH_SHA384_AND_NULL,
    tbs.subarray(start + ECDSA_WITH_SHA384.length),
  );
}
