import {
  CertificateError,
  DerError,
  decodeEcdsaSignature,
  decodeHex,
  encodeCbor,
  encodeCoseSign1,
  sigStructure,
} from '@nitro-enclaves/core';
import { EifError, fail } from '../error.ts';
import type { EifPcrs } from '../read/read-eif.ts';
import { MAX_SECTION_BYTES } from '../read/section-rules.ts';
import type { EifSignatureAlgorithm } from './algorithm.ts';
import { SIGNATURE_ALGORITHMS } from './algorithm.ts';
import type { SigningCertificate } from './certificate.ts';
import { parsePemCertificate } from './certificate.ts';
import { importCertificateKey } from './certificate-key.ts';
import type { EifSignature } from './signature-section.ts';
import { encodeSignatureSection } from './signature-section.ts';
import { checkValidity, verifyEifSignature } from './verify-signature.ts';

/** What has to be signed. */
export interface EifSigningRequest {
  /** ES256, ES384 or ES512, as the certificate's curve asks for; in KMS `ECDSA_SHA_256`, `ECDSA_SHA_384`, `ECDSA_SHA_512`. */
  readonly algorithm: EifSignatureAlgorithm['name'];
  /** The bytes to sign (the Sig_structure): for a signer that hashes. */
  readonly message: Uint8Array;
  /** Their hash (SHA-256, SHA-384 or SHA-512): for a signer that does not, such as KMS with `MessageType: 'DIGEST'`. */
  readonly digest: Uint8Array;
  readonly signal?: AbortSignal;
}

/** Signs with a key that may be elsewhere. Gives the ECDSA signature in DER, as KMS and OpenSSL do. */
export type EifSigner = (request: EifSigningRequest) => Promise<Uint8Array> | Uint8Array;

/** What {@link createSignature} needs. */
export interface CreateSignatureOptions {
  /** The certificate of the signing key, PEM: embedded as it is. */
  readonly certificate: string | Uint8Array;
  readonly signer: EifSigner;
  /** When the certificate has to be valid. Default: now. */
  readonly at?: Date;
  readonly signal?: AbortSignal;
}

/** The algorithm that goes with the certificate's key. */
async function algorithmOf(certificate: SigningCertificate): Promise<EifSignatureAlgorithm> {
  for (const algorithm of SIGNATURE_ALGORITHMS) {
    try {
      await importCertificateKey(certificate, algorithm);
      return algorithm;
    } catch (error) {
      if (!(error instanceof EifError)) throw error;
    }
  }
  return fail('EIF_CERTIFICATE_KEY', 'expected a P-256, P-384 or P-521 key in the certificate');
}

function toRawSignature(signature: Uint8Array, { fieldBytes }: EifSignatureAlgorithm): Uint8Array {
  try {
    return decodeEcdsaSignature(signature, fieldBytes);
  } catch (cause) {
    if (!(cause instanceof DerError) && !(cause instanceof CertificateError)) throw cause;
    return fail('EIF_SIGNING_KEY', 'expected an ECDSA signature in DER from the signer', { cause });
  }
}

/**
 * Makes the signature section of an image whose PCR0 is `pcrs.PCR0`, and verifies it.
 * @throws {EifError} `EIF_CERTIFICATE_…`; `EIF_SIGNING_KEY` for an answer that is no signature; `EIF_SIGNING_KEY_MISMATCH`
 * for a key that is not the certificate's; `EIF_SIGNATURE_TOO_LARGE`.
 */
export async function createSignature(
  pcrs: Pick<EifPcrs, 'PCR0' | 'PCR1' | 'PCR2'>,
  { certificate: pem, signer, at = new Date(), signal }: CreateSignatureOptions,
): Promise<Uint8Array> {
  const certificatePem = typeof pem === 'string' ? new TextEncoder().encode(pem) : pem;
  const certificate = parsePemCertificate(certificatePem);
  checkValidity(certificate, at);
  const algorithm = await algorithmOf(certificate);
  const protectedHeader = encodeCbor(new Map([[1, algorithm.coseNumber]]));
  const payload = encodeCbor(
    new Map<string, number | number[]>([
      ['register_index', 0],
      ['register_value', [...decodeHex(pcrs.PCR0)]],
    ]),
  );
  const message = sigStructure({ protectedHeader, payload });
  const digest = new Uint8Array(await crypto.subtle.digest(algorithm.hash, message));
  const request = { algorithm: algorithm.name, message, digest, ...(signal === undefined ? {} : { signal }) };
  const signature = toRawSignature(await signer(request), algorithm);
  const coseSign1 = encodeCoseSign1({ protectedHeader, payload, signature });
  await expectOwnKey({ certificatePem, certificate, coseSign1 }, pcrs, at);
  const section = encodeSignatureSection(certificatePem, coseSign1);
  const limit = MAX_SECTION_BYTES.signature ?? 0;
  if (section.length > limit) {
    fail('EIF_SIGNATURE_TOO_LARGE', `expected a signature section of at most ${limit} bytes, found ${section.length}`);
  }
  return section;
}

/** A signature by another key than the certificate's would only be noticed when the image does not start. */
async function expectOwnKey(
  signature: EifSignature,
  pcrs: Pick<EifPcrs, 'PCR0' | 'PCR1' | 'PCR2'>,
  at: Date,
): Promise<void> {
  try {
    await verifyEifSignature({ signature, pcrs }, { at });
  } catch (cause) {
    if (!(cause instanceof EifError) || cause.code !== 'EIF_SIGNATURE') throw cause;
    fail('EIF_SIGNING_KEY_MISMATCH', "expected the certificate's key to sign, found another", { cause });
  }
}
