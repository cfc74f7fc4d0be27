import type { CborValue, CoseSign1 } from '@nitro-enclaves/core';
import { CborError, CoseError, decodeCbor, decodeCoseSign1, encodeHex, sigStructure } from '@nitro-enclaves/core';
import { fail } from '../error.ts';
import type { Eif, EifPcrs } from '../read/read-eif.ts';
import type { EifSignatureAlgorithm } from './algorithm.ts';
import { SIGNATURE_ALGORITHMS } from './algorithm.ts';
import type { SigningCertificate } from './certificate.ts';
import { importCertificateKey } from './certificate-key.ts';
import type { EifSignature } from './signature-section.ts';
import { bytesOfArray } from './signature-section.ts';

/** A signature that holds. */
export interface VerifiedEifSignature {
  readonly algorithm: EifSignatureAlgorithm['name'];
  readonly certificate: SigningCertificate;
}

/** An image whose signature holds. */
export interface VerifiedEif extends VerifiedEifSignature {
  /** The measured PCRs. `PCR8` says whose certificate it is. */
  readonly pcrs: EifPcrs;
}

/** Options of a signature's verification. */
export interface VerifySignatureOptions {
  /** When the certificate has to be valid. Default: now. */
  readonly at?: Date;
}

function decodeMessage({ coseSign1 }: EifSignature): CoseSign1 {
  let message: CoseSign1;
  try {
    message = decodeCoseSign1(coseSign1);
  } catch (cause) {
    if (!(cause instanceof CborError) && !(cause instanceof CoseError)) throw cause;
    return fail('EIF_SIGNATURE_COSE', 'expected a COSE_Sign1 in the signature section', { cause });
  }
  // Nothing covers an unprotected header: what stood there would be believed by somebody.
  if (message.unprotectedHeader.size > 0) fail('EIF_SIGNATURE_COSE', 'expected an empty unprotected header');
  return message;
}

function decodeInner(bytes: Uint8Array, code: 'EIF_SIGNATURE_ALGORITHM' | 'EIF_SIGNATURE_PAYLOAD'): CborValue {
  try {
    return decodeCbor(bytes);
  } catch (cause) {
    if (!(cause instanceof CborError)) throw cause;
    return fail(code, 'expected CBOR inside the COSE_Sign1', { cause });
  }
}

/** The algorithm comes from the protected header alone, and is one of three: no list to choose a weaker one from. */
function readAlgorithm({ protectedHeader }: CoseSign1): EifSignatureAlgorithm {
  const header = decodeInner(protectedHeader, 'EIF_SIGNATURE_ALGORITHM');
  const number = header instanceof Map && header.size === 1 ? header.get(1) : undefined;
  const algorithm = SIGNATURE_ALGORITHMS.find(({ coseNumber }) => coseNumber === number);
  if (algorithm !== undefined) return algorithm;
  return fail('EIF_SIGNATURE_ALGORITHM', 'expected ES256, ES384 or ES512 alone in the protected header');
}

/** Whether the COSE_Sign1's signature is that of the certificate's key. */
async function checkSignature(
  message: CoseSign1,
  algorithm: EifSignatureAlgorithm,
  certificate: SigningCertificate,
): Promise<void> {
  const key = await importCertificateKey(certificate, algorithm);
  const parameters = { name: 'ECDSA', hash: algorithm.hash };
  const { signature } = message;
  if (await crypto.subtle.verify(parameters, key, Uint8Array.from(signature), sigStructure(message))) return;
  fail('EIF_SIGNATURE', "expected a signature by the certificate's key, found another");
}

/** The signed PCR0 has to be the measured one: AWS's own check at start-up leaves this out. */
function checkPayload({ payload }: CoseSign1, pcr0: string): void {
  const fields = decodeInner(payload, 'EIF_SIGNATURE_PAYLOAD');
  if (!(fields instanceof Map) || fields.size !== 2) {
    fail('EIF_SIGNATURE_PAYLOAD', 'expected register_index and register_value in the payload');
  }
  const value = bytesOfArray(fields.get('register_value'));
  if (value === undefined) fail('EIF_SIGNATURE_PAYLOAD', 'expected register_value as an array of bytes');
  if (fields.get('register_index') !== 0) {
    fail('EIF_SIGNATURE_REGISTER', `expected register 0 to be signed, found ${String(fields.get('register_index'))}`);
  }
  const signed = encodeHex(value);
  if (signed !== pcr0) fail('EIF_SIGNATURE_PCR0', `expected the image's PCR0 ${pcr0} to be signed, found ${signed}`);
}

/** The platform refuses to start an image outside of its certificate's validity. */
export function checkValidity({ notBefore, notAfter }: SigningCertificate, at: Date): void {
  const time = at.getTime();
  const found = `found ${at.toISOString()}`;
  if (time < notBefore) {
    fail('EIF_CERTIFICATE_NOT_YET_VALID', `expected a time from ${new Date(notBefore).toISOString()} on, ${found}`);
  }
  if (time > notAfter) {
    fail('EIF_CERTIFICATE_EXPIRED', `expected a time up to ${new Date(notAfter).toISOString()}, ${found}`);
  }
}

/**
 * Verifies an image's signature: it is by the key of the embedded certificate, covers the image's PCR0, and the
 * certificate is within its validity. **Who holds that certificate is for the caller to say**, by comparing PCR8: anyone
 * can make a certificate and sign with it.
 * @throws {EifError} `EIF_SIGNATURE_MISSING`, or the code of the first check that fails.
 */
export async function verifyEifSignature(
  { signature, pcrs }: Pick<Eif, 'signature' | 'pcrs'>,
  { at = new Date() }: VerifySignatureOptions = {},
): Promise<VerifiedEifSignature> {
  if (signature === undefined) return fail('EIF_SIGNATURE_MISSING', 'expected a signature section, found none');
  const message = decodeMessage(signature);
  const algorithm = readAlgorithm(message);
  await checkSignature(message, algorithm, signature.certificate);
  checkPayload(message, pcrs.PCR0);
  checkValidity(signature.certificate, at);
  return { algorithm: algorithm.name, certificate: signature.certificate };
}
