import type { Seed } from '../seed.ts';
import type { CertificateAlteration, CertificateProfile } from './certificate.ts';
import { issueCertificate } from './certificate.ts';
import { P384KeyPair } from './p384-key.ts';
import type { SubjectNames } from './profile.ts';
import { PROFILES, ROOT_SUBJECT } from './profile.ts';
import type { RenewedLevel, Validity } from './schedule.ts';
import { ROOT_VALIDITY } from './schedule.ts';
import type { Name } from './x509.ts';

/**
 * One authority of the PKI for one span of time. Its key, its name and what it certifies depend on nothing but the seed, so
 * that an altered certificate above it changes nothing here.
 */
export class Authority {
  readonly subject: Name;
  readonly key: P384KeyPair;
  readonly validity: Validity;
  readonly #profile: CertificateProfile;
  readonly #issuerKey: P384KeyPair;
  #certificate: Promise<Uint8Array> | undefined;

  private constructor(profile: CertificateProfile, key: P384KeyPair, issuerKey: P384KeyPair) {
    this.subject = profile.subject;
    this.key = key;
    this.validity = profile;
    this.#profile = profile;
    this.#issuerKey = issuerKey;
  }

  static root(pkiSeed: Seed, names: SubjectNames): Authority {
    const seed = pkiSeed.child('root');
    const key = P384KeyPair.derive(seed, 'root');
    const issuer = { subject: ROOT_SUBJECT, key };
    return new Authority(PROFILES.root({ key, validity: ROOT_VALIDITY, issuer, seed }, names), key, key);
  }

  static below(
    issuer: Authority,
    { level, validity, names, seed }: { level: RenewedLevel; validity: Validity; names: SubjectNames; seed: Seed },
  ): Authority {
    const key = P384KeyPair.derive(seed, level);
    return new Authority(PROFILES[level]({ key, validity, issuer, seed }, names), key, issuer.key);
  }

  /** The certificate, DER; with an alteration a fresh one. */
  certificate(alteration?: CertificateAlteration): Promise<Uint8Array> {
    if (alteration !== undefined) return issueCertificate(this.#profile, this.#issuerKey, alteration);
    this.#certificate ??= issueCertificate(this.#profile, this.#issuerKey);
    return this.#certificate;
  }
}
