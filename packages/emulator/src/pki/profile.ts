import { encodeHex } from '@nitro-enclaves/core';
import type { Seed } from '../seed.ts';
import type { CertificateProfile } from './certificate.ts';
import type { P384KeyPair } from './p384-key.ts';
import type { Level, Validity } from './schedule.ts';
import type { Extension } from './x509.ts';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  CRLDistributionPointsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  SubjectKeyIdentifierExtension,
} from './x509.ts';

/** Attributes of a Name in their order, each in an RDN of its own; the country printable and the rest UTF-8, as AWS has it. */
function createName(attributes: readonly (readonly [type: string, value: string])[]): Name {
  return new Name(
    attributes.map(([type, value]) => ({
      [type]: [type === 'C' ? { printableString: value } : { utf8String: value }],
    })),
  );
}

const AMAZON = { C: ['C', 'US'], O: ['O', 'Amazon'], OU: ['OU', 'AWS'], L: ['L', 'Seattle'] } as const;

/**
 * The root says what it is in both names that a person reads. The ones below it have AWS's names, so that whatever reads a
 * region or an instance in them works here as it does there.
 */
export const ROOT_SUBJECT: Name = createName([
  ['C', 'US'],
  ['O', 'Nitro Enclaves Emulator'],
  ['OU', 'NOT AWS - for development and tests only'],
  ['CN', 'emulator.nitro-enclaves.invalid'],
]);

function regionalSubject(region: string, id: string): Name {
  return createName([AMAZON.C, AMAZON.O, AMAZON.OU, ['CN', `${id}.${region}.aws.nitro-enclaves`]]);
}

function zonalSubject(region: string, id: string): Name {
  const commonName = ['CN', `${id}.zonal.${region}.aws.nitro-enclaves`] as const;
  return createName([commonName, AMAZON.OU, AMAZON.O, AMAZON.C, ['ST', 'WA'], AMAZON.L]);
}

function instanceSubject(commonName: string): Name {
  return createName([AMAZON.C, ['ST', 'Washington'], AMAZON.L, AMAZON.O, AMAZON.OU, ['CN', commonName]]);
}

const AUTHORITY_USAGE = KeyUsageFlags.digitalSignature | KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign;

/** Lists of revoked certificates that nobody publishes: no verifier may ask for them, and the name resolves nowhere. */
function crlDistributionPoint(host: string, id: Uint8Array): Extension {
  const hex = encodeHex(id);
  const uuid = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
  return new CRLDistributionPointsExtension([`http://${host}.nitro-enclaves-emulator.invalid/crl/${uuid}.crl`]);
}

/** A certificate's place: what it certifies and by whom. */
export interface Issuance {
  readonly key: P384KeyPair;
  readonly validity: Validity;
  /** The one above; the root has itself. */
  readonly issuer: { readonly subject: Name; readonly key: P384KeyPair };
  /** Gives serial numbers and the like, the same ones each time. */
  readonly seed: Seed;
}

/** Whom the certificates are for. */
export interface SubjectNames {
  /** AWS region, such as `us-east-1`. */
  readonly region: string;
  /** The parent instance's id. */
  readonly instanceId: string;
  /** The enclave's module id. */
  readonly moduleId: string;
}

type ProfileOf = (issuance: Issuance, names: SubjectNames) => CertificateProfile;

function createProfile(
  { key, validity, issuer }: Issuance,
  { serialNumber, subject, extensions }: Pick<CertificateProfile, 'serialNumber' | 'subject' | 'extensions'>,
): CertificateProfile {
  const { subjectPublicKeyInfo } = key;
  return { issuer: issuer.subject, subject, serialNumber, ...validity, subjectPublicKeyInfo, extensions };
}

function authorityIdentifiers({ key, issuer }: Issuance): [authority: Extension, subject: Extension] {
  return [
    new AuthorityKeyIdentifierExtension(issuer.key.identifier),
    new SubjectKeyIdentifierExtension(key.identifier),
  ];
}

function rootProfile(issuance: Issuance): CertificateProfile {
  return createProfile(issuance, {
    serialNumber: encodeHex(issuance.seed.derive('serial', 16)),
    subject: ROOT_SUBJECT,
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new SubjectKeyIdentifierExtension(issuance.key.identifier),
      new KeyUsagesExtension(AUTHORITY_USAGE, true),
    ],
  });
}

/** The regional and the zonal authority differ in their names and path lengths only. */
function areaProfile(
  issuance: Issuance,
  { subject, pathLength, crlHost }: { subject: Name; pathLength: number; crlHost: string },
): CertificateProfile {
  return createProfile(issuance, {
    serialNumber: encodeHex(issuance.seed.derive('serial', 16)),
    subject,
    extensions: [
      new BasicConstraintsExtension(true, pathLength, true),
      ...authorityIdentifiers(issuance),
      new KeyUsagesExtension(AUTHORITY_USAGE, true),
      crlDistributionPoint(crlHost, issuance.seed.derive('crl', 16)),
    ],
  });
}

function commonNameId({ seed }: Issuance): string {
  return encodeHex(seed.derive('common name', 8));
}

function instanceProfile(issuance: Issuance, { region, instanceId }: SubjectNames): CertificateProfile {
  const [authority, subject] = authorityIdentifiers(issuance);
  return createProfile(issuance, {
    serialNumber: encodeHex(issuance.seed.derive('serial', 20)),
    subject: instanceSubject(`${instanceId}.${region}.aws.nitro-enclaves`),
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign, true),
      subject,
      authority,
    ],
  });
}

const SECOND = 1000;

/** The enclave's 8 bytes, four zero bytes, and the second in which the leaf was made. */
function leafSerialNumber({ validity }: Issuance, moduleId: string): string {
  const enclave = moduleId.match(/-(?:enc|tpm)([0-9a-f]{16})$/)?.[1] ?? '0'.repeat(16);
  const made = validity.notBefore / SECOND + 3;
  return `${enclave}00000000${made.toString(16).padStart(8, '0')}`;
}

function leafProfile(issuance: Issuance, { region, moduleId }: SubjectNames): CertificateProfile {
  return createProfile(issuance, {
    serialNumber: leafSerialNumber(issuance, moduleId),
    subject: instanceSubject(`${moduleId}.${region}.aws`),
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature | KeyUsageFlags.nonRepudiation, false),
    ],
  });
}

/** The profile of every level, as decoded from documents that AWS signed in 2024 to 2026. */
export const PROFILES: Readonly<Record<Level, ProfileOf>> = {
  root: rootProfile,
  regional: (issuance, { region }) =>
    areaProfile(issuance, { subject: regionalSubject(region, commonNameId(issuance)), pathLength: 2, crlHost: 'crl' }),
  zonal: (issuance, { region }) =>
    areaProfile(issuance, {
      subject: zonalSubject(region, commonNameId(issuance)),
      pathLength: 1,
      crlHost: `crl-${region}`,
    }),
  instance: instanceProfile,
  leaf: leafProfile,
};
