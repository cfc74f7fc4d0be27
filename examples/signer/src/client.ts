import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import type { EnclaveImage } from '@nitro-enclaves/attestation';
import { customTrustAnchor, verifyAttestationDocument } from '@nitro-enclaves/attestation';
import { SignerError } from './error.ts';
import type { SigningRequest } from './statement.ts';
import { readSigningRequest, statementBytes } from './statement.ts';

/** What a client knows before: whom it trusts. */
export interface SignerChecks {
  /** Releases of the signer that are trusted. */
  readonly images: readonly EnclaveImage[];
  /** Root of an emulator, DER. Default: AWS's. */
  readonly emulatorRoot?: Uint8Array;
  /** The nonce that was sent. */
  readonly nonce: Uint8Array;
}

/** A signing key that lives in an enclave of a trusted image, and where its trail ended. */
export interface AttestedSigner {
  readonly publicKey: KeyObject;
  /** Hash of the newest entry of the audit trail, hexadecimal. */
  readonly head: string;
  readonly moduleId: string;
}

/** Verifies the document of `GET /attestation`. */
export async function verifySigner(
  document: Uint8Array,
  { images, emulatorRoot, nonce }: SignerChecks,
): Promise<AttestedSigner> {
  const { publicKey, userData, moduleId } = await verifyAttestationDocument(document, {
    images,
    freshness: { nonce },
    ...(emulatorRoot === undefined ? {} : { [customTrustAnchor]: emulatorRoot }),
  });
  const key = createPublicKey({ key: Buffer.from(publicKey ?? []), format: 'der', type: 'spki' });
  return { publicKey: key, head: Buffer.from(userData ?? []).toString('hex'), moduleId };
}

/**
 * Verifies that `signature` (base64) is the signer's for this request.
 * @throws {SignerError} `SIGNATURE`, `REQUEST_MALFORMED`
 */
export function verifySignature(request: SigningRequest, signature: string, { publicKey }: AttestedSigner): void {
  const statement = statementBytes(readSigningRequest({ ...request }));
  if (verify('sha256', statement, publicKey, Buffer.from(signature, 'base64'))) return;
  throw new SignerError('SIGNATURE', `expected a signature of the attested key for the purpose ${request.purpose}`);
}
