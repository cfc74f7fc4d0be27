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

const NO_TLS_OF_KMS =
  "what came is not KMS's TLS: does the parent's proxy forward bytes untouched, from this port to KMS's port 443";

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
  ['CERT_UNTRUSTED', UNTRUSTED],
  ['CERT_REJECTED', UNTRUSTED],
  ['INVALID_CA', UNTRUSTED],
  ['INVALID_PURPOSE', UNTRUSTED],
  ['ERR_TLS_CERT_ALTNAME_INVALID', `${UNTRUSTED}; it answered for another host`],
  ['EPROTO', NO_TLS_OF_KMS],
]);

/** By the code of an error: those of OpenSSL's records and handshakes are many, and mean the same here. */
function transportRemedy(code: string): string | undefined {
  return code.startsWith('ERR_SSL_') ? NO_TLS_OF_KMS : TRANSPORT_REMEDIES.get(code);
}

/** What the document says, and what of the key policy it has to be compared with. */
function describeMeasurements(document: Uint8Array): string {
  const own = readOwnDocument(document);
  if (own === undefined) return 'the attestation document could not be read here: compare its PCRs with those';
  const { pcrs, debugMode, isNitroTpm } = own;
  const shown = [...pcrs].map(([index, value]) => `PCR${index}=${value}`).join(' ') || 'no PCR but zeros';
  if (isNitroTpm) return `this instance has ${shown}: compare with kms:RecipientAttestation:NitroTPMPCR<n>`;
  const mode = debugMode
    ? 'this enclave runs in debug mode (PCR0, PCR1 and PCR2 are zero), which no production policy allows; '
    : '';
  return `${mode}this enclave has ${shown}: compare with kms:RecipientAttestation:ImageSha384 (PCR0) and PCR<n>`;
}

function remedyFor(name: string, document: Uint8Array): string | undefined {
  if (name !== 'AccessDeniedException') return REMEDIES.get(name);
  return `${describeMeasurements(document)} in the key policy, and the principal with the credentials that the parent serves`;
}

/** What to do about a system error, `error` itself or one underneath. */
function systemRemedy(error: Error): string | undefined {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 4; at = at.cause, depth += 1) {
    const advice = 'code' in at && typeof at.code === 'string' ? transportRemedy(at.code) : undefined;
    if (advice !== undefined) return advice;
  }
  return undefined;
}

function remedy(error: Error, document: Uint8Array): string | undefined {
  const advice = systemRemedy(error);
  if (advice !== undefined) return advice;
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
