import { createHash } from 'node:crypto';
import { canonicalJson } from './canonical-json.ts';
import { SignerError } from './error.ts';

/** What a caller wants signed: the SHA-256 of anything, or a JSON value, whose canonical form is hashed in the enclave. */
export interface SigningRequest {
  readonly purpose: string;
  /** SHA-256, 64 hexadecimal digits. Either this or `payload`. */
  readonly digest?: string;
  readonly payload?: unknown;
}

/** What a signature is about. */
export interface Statement {
  readonly purpose: string;
  /** SHA-256, 64 hexadecimal digits. */
  readonly digest: string;
}

const PURPOSE = /^[a-z0-9-]{1,64}$/;
const SHA256 = /^[0-9a-f]{64}$/;

function digestOf({ digest, payload }: Record<string, unknown>): string {
  if ((digest === undefined) === (payload === undefined))
    throw new SignerError('REQUEST_MALFORMED', 'expected either a digest or a payload');
  if (digest === undefined) return createHash('sha256').update(canonicalJson(payload)).digest('hex');
  if (typeof digest === 'string' && SHA256.test(digest)) return digest;
  throw new SignerError('REQUEST_MALFORMED', 'expected a digest of 64 hexadecimal digits in lower case');
}

/**
 * Reads a {@link SigningRequest}.
 * @throws {SignerError} `REQUEST_MALFORMED`
 */
export function readSigningRequest(body: Record<string, unknown>): Statement {
  const { purpose } = body;
  if (typeof purpose !== 'string' || !PURPOSE.test(purpose))
    throw new SignerError('REQUEST_MALFORMED', 'expected a purpose of letters in lower case, digits and hyphens');
  return { purpose, digest: digestOf(body) };
}

/**
 * The bytes that are signed. Never a caller's bytes as they are: a signature for one purpose is none for another, and no
 * caller can have an entry of the audit trail signed.
 */
export function statementBytes({ purpose, digest }: Statement): Uint8Array {
  return Buffer.from(`nitro-enclaves signer\npurpose: ${purpose}\nsha256: ${digest}\n`);
}
