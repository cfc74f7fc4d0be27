import { NitroEnclavesError } from '@nitro-enclaves/core';
import { readOwnDocument } from './recipient/own-document.ts';

/** What to do, by the name of KMS's error (KMS API reference, "Common errors", and each operation's). */
const REMEDIES: ReadonlyMap<string, string> = new Map([
  ['ExpiredTokenException', 'the credentials have expired: check that the parent refreshes them, and both clocks'],
  [
    'UnrecognizedClientException',
    'KMS does not know these credentials: check which ones the parent serves, and for which partition',
  ],
  [
    'InvalidSignatureException',
    'the signature does not hold: check the local clock (5 minutes at most) and the secret key',
  ],
  ['ThrottlingException', 'KMS throttles: slow down, cache data keys, or ask for a higher quota'],
  [
    'ValidationException',
    'KMS could not read the request: a damaged or unsigned attestation document (QEMU signs none) gives this error too',
  ],
  [
    'IncorrectKeyException',
    'the ciphertext is under another key than the one pinned: it was swapped, or the key ARN is wrong',
  ],
  ['InvalidCiphertextException', 'the ciphertext is damaged, or its encryption context is another'],
  ['DisabledException', 'the key is disabled: enable it, or pin another'],
  [
    'NotFoundException',
    'there is no such key in this account and region: check the ARN, and that the parent forwards to the right region',
  ],
]);

const UNTRUSTED =
  "the server's certificate is not trusted here: is the parent's proxy forwarding to KMS untouched, and does the CA bundle of kmsRequestHandler hold its root";
const UNREACHABLE =
  'the way to KMS is closed: is the proxy running on the parent, on this port, and does its allow-list name this host';

/** What to do, by the code of a system or TLS error under the request. */
const TRANSPORT_REMEDIES: ReadonlyMap<string, string> = new Map([
  ['ECONNREFUSED', UNREACHABLE],
  ['ECONNRESET', UNREACHABLE],
  ['EPIPE', UNREACHABLE],
  ['ENOENT', UNREACHABLE],
  ['ENODEV', UNREACHABLE],
  ['EHOSTUNREACH', UNREACHABLE],
  ['ENETUNREACH', UNREACHABLE],
  ['ETIMEDOUT', UNREACHABLE],
  ['UNABLE_TO_GET_ISSUER_CERT', UNTRUSTED],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', UNTRUSTED],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', UNTRUSTED],
  ['SELF_SIGNED_CERT_IN_CHAIN', UNTRUSTED],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', UNTRUSTED],
  ['CERT_SIGNATURE_FAILURE', UNTRUSTED],
  ['CERT_HAS_EXPIRED', `${UNTRUSTED}; the local clock may be wrong too`],
  ['CERT_NOT_YET_VALID', `${UNTRUSTED}; the local clock may be wrong too`],
  ['ERR_TLS_CERT_ALTNAME_INVALID', `${UNTRUSTED}; it answered for another host`],
]);

function describePcrs(document: Uint8Array): string {
  const own = readOwnDocument(document);
  if (own === undefined) return 'the attestation document could not be read here';
  const { pcrs, debugMode } = own;
  const shown = [...pcrs].filter(([index]) => index <= 8).map(([index, value]) => `PCR${index}=${value}`);
  const mode = debugMode
    ? 'this enclave runs in debug mode (PCR0, PCR1 and PCR2 are zero), which no production policy allows; '
    : '';
  return `${mode}this enclave has ${shown.join(' ')}`;
}

function remedyFor(name: string, document: Uint8Array): string | undefined {
  if (name !== 'AccessDeniedException') return REMEDIES.get(name);
  return `${describePcrs(document)}: compare with kms:RecipientAttestation:ImageSha384 (PCR0) and PCR<n> in the key policy, and the principal with the credentials that the parent serves`;
}

/** The code of a system error, its own or of an error underneath. */
function systemCode(error: Error): string | undefined {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 4; at = at.cause, depth += 1) {
    if ('code' in at && typeof at.code === 'string' && TRANSPORT_REMEDIES.has(at.code)) return at.code;
  }
  return undefined;
}

function remedy(error: Error, document: Uint8Array): string | undefined {
  const code = systemCode(error);
  if (code !== undefined) return TRANSPORT_REMEDIES.get(code);
  return error.name === 'TimeoutError' ? UNREACHABLE : remedyFor(error.name, document);
}

/**
 * Adds to an error's message what to do about it; `document` is that of the call. It stays the same error, of the same class
 * and name, so that code written for plain KMS, and the SDK's own retries, see what they know.
 */
export function explainKmsError(error: unknown, document: Uint8Array): unknown {
  if (!(error instanceof Error) || error instanceof NitroEnclavesError) return error;
  const advice = remedy(error, document);
  if (advice !== undefined) error.message = `${error.message || error.name} (${advice})`;
  return error;
}
