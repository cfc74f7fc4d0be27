import { TlsServerError } from './error.ts';

/** What the parent keeps and the enclave fetches. Nothing of it is secret: the key opens in the enclave only. */
export interface SealedBundle {
  /** The server's certificate, then those between it and the root. PEM. */
  readonly certificates: readonly string[];
  /** The private key, PKCS #8 DER, as a ciphertext of KMS. */
  readonly sealedKey: Uint8Array;
}

/** Longest bundle, in bytes. */
export const MAX_BUNDLE_BYTES = 65_536;
/** Longest ciphertext that KMS decrypts, in bytes (Decrypt, CiphertextBlob). */
const MAX_CIPHERTEXT_BYTES = 6144;
const PEM = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

function malformed(sentence: string, cause?: unknown): TlsServerError {
  return new TlsServerError('BUNDLE_MALFORMED', sentence, cause === undefined ? {} : { cause });
}

function textField(bundle: object, name: string): string {
  const value: unknown = Reflect.get(bundle, name);
  if (typeof value === 'string') return value;
  throw malformed(`expected a bundle with a text ${name}`);
}

/**
 * Reads a bundle: JSON with `certificate` (a PEM chain) and `sealedKey` (base64).
 * @throws {TlsServerError} `BUNDLE_MALFORMED`
 */
export function parseBundle(bytes: Uint8Array): SealedBundle {
  if (bytes.length > MAX_BUNDLE_BYTES) throw malformed(`expected a bundle of at most ${MAX_BUNDLE_BYTES} bytes`);
  let bundle: unknown;
  try {
    bundle = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw malformed('expected a bundle in JSON', cause);
  }
  if (typeof bundle !== 'object' || bundle === null) throw malformed('expected a bundle that is an object');
  const certificates = textField(bundle, 'certificate').match(PEM);
  if (certificates === null) throw malformed('expected a certificate in PEM');
  const sealedKey = textField(bundle, 'sealedKey').trim();
  if (!BASE64.test(sealedKey)) throw malformed('expected a sealedKey in base64');
  const ciphertext = Buffer.from(sealedKey, 'base64');
  if (ciphertext.length > MAX_CIPHERTEXT_BYTES)
    throw malformed(`expected a sealedKey of at most ${MAX_CIPHERTEXT_BYTES} bytes, found ${ciphertext.length}`);
  return { certificates: [...certificates], sealedKey: ciphertext };
}

/** Writes a bundle as {@link parseBundle} reads it. */
export function encodeBundle({ certificates, sealedKey }: SealedBundle): Uint8Array {
  const bundle = { certificate: certificates.join('\n'), sealedKey: Buffer.from(sealedKey).toString('base64') };
  return Buffer.from(`${JSON.stringify(bundle, undefined, 2)}\n`);
}
