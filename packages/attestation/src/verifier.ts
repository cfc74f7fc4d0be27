import { compileArchivePolicy, compilePolicy, readEvaluationTime, withNonce } from './compiled-policy.ts';
import type { NitroCrypto, SyncNitroCrypto } from './crypto.ts';
import { LinkCache } from './link-cache.ts';
import type { ArchivePolicy, VerifierPolicy } from './policy.ts';
import type { VerificationRequest } from './verification.ts';
import type { ArchivedAttestationDocument, VerifiedAttestationDocument } from './verified-document.ts';
import { verify, verifySync } from './verify.ts';

/** Options of one verification. */
export interface VerifyOptions {
  /** The evaluation time, in ms since the epoch. Default: this machine's clock, read once. */
  readonly now?: number;
}

/** Options of {@link createVerifier}. */
export interface VerifierOptions {
  /** What every document must be. */
  readonly policy: VerifierPolicy;
  /** Most certificates whose verification is remembered, about 5 KiB each. Default 256; 0 remembers none. */
  readonly cacheSize?: number;
}

/** Options of {@link Verifier.verify}. */
export interface VerifierCallOptions extends VerifyOptions {
  /** The challenge of this call: mandatory when the policy's `freshness` is `'nonce'`, refused otherwise. */
  readonly nonce?: Uint8Array;
}

/** Verifies documents by one policy, and remembers what it verified of their certificates. */
export interface Verifier {
  /**
   * Verifies a document: CBOR and COSE, certificate path, signature, and then the policy.
   * @throws {AttestationError} when the document is not genuine.
   * @throws {PolicyError} when it is genuine, but not what the policy asks for.
   * @throws {PolicyConfigurationError} when the nonce of the call is missing or wrong; nothing was judged.
   */
  verify(document: Uint8Array, options?: VerifierCallOptions): Promise<VerifiedAttestationDocument>;
}

/** A {@link Verifier} that can also do it at once, on the calling thread. */
export interface SyncVerifier extends Verifier {
  /** {@link Verifier.verify}, but at once: for where nothing else waits for this thread. */
  verifySync(document: Uint8Array, options?: VerifierCallOptions): VerifiedAttestationDocument;
}

const DEFAULT_CACHE_SIZE = 256;

/** The policy checked once; then one request for each call. */
export function createRequests({
  policy,
  cacheSize = DEFAULT_CACHE_SIZE,
}: VerifierOptions): (input: Uint8Array, options?: VerifierCallOptions) => VerificationRequest {
  const compiled = compilePolicy(policy);
  const cache = new LinkCache(cacheSize);
  return (input: Uint8Array, { nonce, now }: VerifierCallOptions = {}): VerificationRequest => ({
    input,
    now: readEvaluationTime(now),
    policy: withNonce(compiled, nonce),
    cache,
  });
}

/** A verifier over any cryptography. */
export function verifierOver(crypto: NitroCrypto, options: VerifierOptions): Verifier {
  const request = createRequests(options);
  return Object.freeze({
    verify: async (document: Uint8Array, call?: VerifierCallOptions) =>
      verify('verified', crypto, request(document, call)),
  });
}

/** A verifier over cryptography that can answer at once. */
export function syncVerifierOver(
  { waiting, sync }: { waiting: NitroCrypto; sync: SyncNitroCrypto },
  options: VerifierOptions,
): SyncVerifier {
  const request = createRequests(options);
  return Object.freeze({
    verify: async (document: Uint8Array, call?: VerifierCallOptions) =>
      verify('verified', waiting, request(document, call)),
    verifySync: (document: Uint8Array, call?: VerifierCallOptions) =>
      verifySync('verified', sync, request(document, call)),
  });
}

/** The request of an archived document, at its own timestamp. */
export function archiveRequest(input: Uint8Array, policy: ArchivePolicy): VerificationRequest {
  return { input, now: undefined, policy: compileArchivePolicy(policy), cache: new LinkCache(0) };
}

/** Verifies a document at its own timestamp. */
export async function verifyArchivedOver(
  crypto: NitroCrypto,
  document: Uint8Array,
  policy: ArchivePolicy,
): Promise<ArchivedAttestationDocument> {
  return verify('archived', crypto, archiveRequest(document, policy));
}

/** The same, at once. */
export function verifyArchivedSyncOver(
  crypto: SyncNitroCrypto,
  document: Uint8Array,
  policy: ArchivePolicy,
): ArchivedAttestationDocument {
  return verifySync('archived', crypto, archiveRequest(document, policy));
}
