import { fail } from '../error.ts';
import type { EifSignatureAlgorithm } from './algorithm.ts';
import type { SigningCertificate } from './certificate.ts';

/** The certificate's key, which has to be of the algorithm's curve. */
export async function importCertificateKey(
  { subjectPublicKeyInfo }: SigningCertificate,
  { curve }: EifSignatureAlgorithm,
): Promise<CryptoKey> {
  const algorithm = { name: 'ECDSA', namedCurve: curve };
  try {
    return await crypto.subtle.importKey('spki', Uint8Array.from(subjectPublicKeyInfo), algorithm, false, ['verify']);
  } catch (cause) {
    return fail('EIF_CERTIFICATE_KEY', `expected a ${curve} key in the certificate, as the algorithm asks for`, {
      cause,
    });
  }
}
