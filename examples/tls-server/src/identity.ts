import type { KeyObject } from 'node:crypto';
import { X509Certificate } from 'node:crypto';
import { TlsServerError } from './error.ts';

/** A certificate with its key, checked: what a server may show. */
export interface ServerIdentity {
  readonly certificates: readonly X509Certificate[];
  readonly key: KeyObject;
  /** When the server's certificate begins and ends, in ms since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** What a new identity is judged by. */
export interface IdentityChecks {
  readonly host: string;
  /** In ms since the epoch. */
  readonly now: number;
  /** What is served until now. */
  readonly current: ServerIdentity | undefined;
}

function refuse(code: TlsServerError['code'], sentence: string, cause?: unknown): never {
  throw new TlsServerError(code, sentence, cause === undefined ? {} : { cause });
}

function parseCertificate(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    return refuse('BUNDLE_MALFORMED', 'expected certificates in X.509', cause);
  }
}

/** Each certificate is issued and signed by the next: a chain that clients can follow. */
function expectChain(certificates: readonly X509Certificate[]): void {
  for (const [index, issuer] of certificates.slice(1).entries()) {
    const issued = certificates[index];
    if (!issued?.checkIssued(issuer) || !issued.verify(issuer.publicKey))
      refuse('CERTIFICATE_CHAIN', `expected certificate ${index} to be signed by the next`);
  }
}

function expectTime({ notBefore, notAfter }: Pick<ServerIdentity, 'notBefore' | 'notAfter'>, now: number): void {
  // Negated, so that a time that could not be read is refused too.
  if (!(notBefore <= now && now < notAfter))
    refuse('CERTIFICATE_TIME', `expected a certificate that is valid at ${new Date(now).toISOString()}`);
}

/**
 * Makes an identity of what a bundle held. What does not fit is refused, since the parent chooses the bundle: it could break
 * the server with a pair that does not match, or bring back the certificate of a key that has leaked since.
 * @throws {TlsServerError} `BUNDLE_MALFORMED`, `CERTIFICATE_KEY`, `CERTIFICATE_HOST`, `CERTIFICATE_TIME`, `CERTIFICATE_CHAIN`,
 * `CERTIFICATE_OLDER`
 */
export function createIdentity(
  { certificates: pems, key }: { readonly certificates: readonly string[]; readonly key: KeyObject },
  { host, now, current }: IdentityChecks,
): ServerIdentity {
  const certificates = pems.map(parseCertificate);
  const [leaf] = certificates;
  if (leaf === undefined) return refuse('BUNDLE_MALFORMED', 'expected a certificate');
  if (!leaf.checkPrivateKey(key)) refuse('CERTIFICATE_KEY', 'expected the certificate of the key that was sealed');
  if (leaf.checkHost(host) === undefined) refuse('CERTIFICATE_HOST', `expected a certificate for ${host}`);
  const notBefore = Date.parse(leaf.validFrom);
  const notAfter = Date.parse(leaf.validTo);
  expectTime({ notBefore, notAfter }, now);
  expectChain(certificates);
  if (current !== undefined && notBefore < current.notBefore)
    refuse('CERTIFICATE_OLDER', 'expected a certificate that is not older than the one that is served');
  return { certificates, key, notBefore, notAfter };
}
