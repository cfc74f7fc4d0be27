import type { webcrypto } from 'node:crypto';
import { createPrivateKey, randomBytes, subtle } from 'node:crypto';
import { isIP } from 'node:net';
import type { Extension } from '../pki/x509.ts';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '../pki/x509.ts';
import type { AuthorityRecord } from './store/store.ts';

/** What an HTTPS server shows, and by whom it is vouched for. PEM. */
export interface TlsIdentity {
  readonly key: string;
  readonly certificate: string;
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const AUTHORITY_NAME = 'CN=Nitro Enclaves Emulator KMS CA, O=NOT AWS - for development and tests only';
const DAY_MS = 86_400_000;
const AUTHORITY_LIFETIME_MS = 3650 * DAY_MS;
/** Longer would be refused by some clients. */
const SERVER_LIFETIME_MS = 397 * DAY_MS;
/** Certificates begin a day ago, for machines whose clocks differ. */
const BACKDATED_MS = DAY_MS;

interface Issued {
  readonly subject: string;
  readonly issuer: string;
  readonly publicKey: webcrypto.CryptoKey;
  readonly signingKey: webcrypto.CryptoKey;
  readonly lifetime: number;
  readonly extensions: readonly Extension[];
}

function serialNumber(): string {
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  return serial.toString('hex');
}

async function issue({ lifetime, extensions, publicKey, ...rest }: Issued): Promise<X509Certificate> {
  const now = Date.now();
  return X509CertificateGenerator.create({
    ...rest,
    publicKey,
    serialNumber: serialNumber(),
    notBefore: new Date(now - BACKDATED_MS),
    notAfter: new Date(now - BACKDATED_MS + lifetime),
    signingAlgorithm: ALGORITHM,
    extensions: [...extensions, await SubjectKeyIdentifierExtension.create(publicKey)],
  });
}

function generatePair(): Promise<webcrypto.CryptoKeyPair> {
  return subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

async function exportKey(key: webcrypto.CryptoKey): Promise<Uint8Array> {
  return new Uint8Array(await subtle.exportKey('pkcs8', key));
}

/** Makes a certificate authority of its own for one KMS, valid for ten years. */
export async function createAuthority(): Promise<AuthorityRecord> {
  const { privateKey, publicKey } = await generatePair();
  const usage = KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign;
  const certificate = await issue({
    subject: AUTHORITY_NAME,
    issuer: AUTHORITY_NAME,
    publicKey,
    signingKey: privateKey,
    lifetime: AUTHORITY_LIFETIME_MS,
    extensions: [new BasicConstraintsExtension(true, 0, true), new KeyUsagesExtension(usage, true)],
  });
  return { certificate: new Uint8Array(certificate.rawData), privateKey: await exportKey(privateKey) };
}

/** The authority's certificate, PEM: what clients have to trust. */
export function authorityPem({ certificate }: AuthorityRecord): string {
  return new X509Certificate(new Uint8Array(certificate)).toString('pem');
}

function alternativeNames(hosts: readonly string[]): SubjectAlternativeNameExtension {
  const names = hosts.map((host) => ({ type: isIP(host) === 0 ? ('dns' as const) : ('ip' as const), value: host }));
  return new SubjectAlternativeNameExtension(names);
}

/** Issues a certificate for a server of these names and addresses. */
export async function createServerIdentity(authority: AuthorityRecord, hosts: readonly string[]): Promise<TlsIdentity> {
  const { privateKey, publicKey } = await generatePair();
  const certificate = await issue({
    subject: 'CN=Emulated KMS',
    issuer: AUTHORITY_NAME,
    publicKey,
    signingKey: await subtle.importKey('pkcs8', authority.privateKey, ALGORITHM, false, ['sign']),
    lifetime: SERVER_LIFETIME_MS,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      alternativeNames(hosts),
    ],
  });
  const key = createPrivateKey({ key: Buffer.from(await exportKey(privateKey)), format: 'der', type: 'pkcs8' });
  return { key: key.export({ type: 'pkcs8', format: 'pem' }).toString(), certificate: certificate.toString('pem') };
}
