import 'reflect-metadata';
import { subtle, type webcrypto } from 'node:crypto';
import {
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const NAME = 'CN=Local authority, O=for development and tests only';
const DAY_MS = 86_400_000;

/** What a certificate is issued for. */
export interface CertificateRequest {
  readonly host: string;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
  /** In ms since the epoch. Default: from a minute ago, for a day. */
  readonly notBefore?: number;
  readonly notAfter?: number;
}

/** A certificate authority of one process, in the place of yours: it certifies a public key, and asks nobody. */
export class LocalAuthority {
  /** Its own certificate, PEM: what clients have to trust. */
  readonly certificate: string;
  readonly #keys: webcrypto.CryptoKeyPair;

  private constructor(certificate: string, keys: webcrypto.CryptoKeyPair) {
    this.certificate = certificate;
    this.#keys = keys;
  }

  static async create(): Promise<LocalAuthority> {
    const keys = await subtle.generateKey(ALGORITHM, false, ['sign', 'verify']);
    const certificate = await X509CertificateGenerator.createSelfSigned({
      name: NAME,
      keys,
      signingAlgorithm: ALGORITHM,
      notBefore: new Date(Date.now() - DAY_MS),
      notAfter: new Date(Date.now() + 30 * DAY_MS),
      extensions: [
        new BasicConstraintsExtension(true, 0, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      ],
    });
    return new LocalAuthority(certificate.toString('pem'), keys);
  }

  /** A server's certificate, PEM. */
  async issue({ host, publicKey, notBefore = Date.now() - 60_000, notAfter }: CertificateRequest): Promise<string> {
    const certificate = await X509CertificateGenerator.create({
      subject: `CN=${host}`,
      issuer: NAME,
      publicKey: await subtle.importKey('spki', publicKey, ALGORITHM, true, ['verify']),
      signingKey: this.#keys.privateKey,
      signingAlgorithm: ALGORITHM,
      notBefore: new Date(notBefore),
      notAfter: new Date(notAfter ?? notBefore + DAY_MS),
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new SubjectAlternativeNameExtension([{ type: 'dns', value: host }]),
      ],
    });
    return certificate.toString('pem');
  }
}
