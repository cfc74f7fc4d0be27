import { StrictChecklist } from './checks.ts';
import type { CompiledPolicy, PolicyDigests } from './compiled-policy.ts';
import type { Eventually, NitroCrypto, P384Key, SyncNitroCrypto } from './crypto.ts';
import { AWS_ROOT, expectPublishedRoot } from './trust-anchor.ts';
import type { EvaluationTime, PathTrust, PreparedVerification } from './verification.ts';
import { checkSignatures, conclude, prepare } from './verification.ts';
import type { TrustedFields } from './verified-document.ts';
import { describeVerified } from './verified-document.ts';

/** What is to be verified, by what, and at what time. */
export interface VerificationRequest {
  readonly input: Uint8Array;
  readonly time: EvaluationTime;
  readonly trust: PathTrust;
}

/** What needs a key or a hash function, done. */
interface Computed {
  /** The key of each certificate, root first. */
  readonly keys: readonly P384Key[];
  /** Whether each pending signature holds; absent after the first that does not. */
  readonly holds: readonly boolean[];
  readonly digests: PolicyDigests;
}

/** Whether the embedded root has to be proved whole: each time that a chain is verified from its beginning. */
function needsRootDigest({ known }: PreparedVerification, { isCustomTrustAnchor }: CompiledPolicy): boolean {
  return known.length === 0 && !isCustomTrustAnchor;
}

/** One after the other, and none after the first that fails: a forgery costs little. */
function computeSync(crypto: SyncNitroCrypto, prepared: PreparedVerification, policy: CompiledPolicy): Computed {
  if (needsRootDigest(prepared, policy)) expectPublishedRoot(crypto.sha256(AWS_ROOT.certificate.encoded));
  const keys = new Map<number, P384Key>(prepared.known.map(({ key }, index) => [index, key]));
  const keyAt = (index: number, publicKey: Uint8Array): P384Key => {
    const key = keys.get(index) ?? crypto.importP384(publicKey);
    keys.set(index, key);
    return key;
  };
  const holds: boolean[] = [];
  for (const { signer, publicKey, message, signature } of prepared.pending) {
    const isHeld = crypto.verify(keyAt(signer, publicKey), message, signature);
    holds.push(isHeld);
    if (!isHeld) break;
  }
  const digests = [...policy.preimages].map(([rule, preimage]) => [rule, crypto.sha384(preimage)] as const);
  return { keys: [...keys.values()], holds, digests: new Map(digests) };
}

/**
 * All at once, each signature on whatever thread is free; the first ones are being verified while the last keys are made
 * ready. A leaf's key is used before it is trusted, its answer only afterwards.
 */
export async function compute(
  crypto: NitroCrypto,
  prepared: PreparedVerification,
  policy: CompiledPolicy,
): Promise<Computed> {
  const keys = new Map<number, Eventually<P384Key>>(prepared.known.map(({ key }, index) => [index, key]));
  const verifying = prepared.pending.map(({ signer, publicKey, message, signature }) => {
    const key = keys.get(signer) ?? crypto.importP384(publicKey);
    keys.set(signer, key);
    return key instanceof Promise
      ? key.then((ready) => crypto.verify(ready, message, signature))
      : crypto.verify(key, message, signature);
  });
  const hashing = [...policy.preimages].map(async ([rule, preimage]) => [rule, await crypto.sha384(preimage)] as const);
  const root = needsRootDigest(prepared, policy) ? crypto.sha256(AWS_ROOT.certificate.encoded) : undefined;
  const [holds, digests, rootDigest] = await Promise.all([Promise.all(verifying), Promise.all(hashing), root]);
  if (rootDigest !== undefined) expectPublishedRoot(rootDigest);
  return { keys: await Promise.all(keys.values()), holds, digests: new Map(digests) };
}

/** What is left to do once the signatures were computed: no key and no clock needed. */
function finish<Trust extends 'verified' | 'archived'>(
  worth: Trust,
  prepared: PreparedVerification,
  {
    computed,
    trust: { policy, cache },
    checklist,
  }: { computed: Computed; trust: PathTrust; checklist: StrictChecklist },
): TrustedFields & { readonly trust: Trust } {
  checkSignatures(prepared, computed.holds, checklist);
  let issuerId = prepared.known.at(-1)?.id ?? 0;
  for (let index = prepared.known.length; index < prepared.links.length; index += 1) {
    const [link, key] = [prepared.links[index], computed.keys[index]];
    if (link !== undefined && key !== undefined) issuerId = cache.add(link.own, key, issuerId).id;
  }
  const findings = conclude(prepared, policy, { checklist, digests: computed.digests });
  return describeVerified(worth, prepared, { policy, findings, checks: checklist.passed });
}

/** Verifies a document in AWS's order: syntax, chain, signature (attestation_process.md §3.2), and then the policy. */
export async function verify<Trust extends 'verified' | 'archived'>(
  worth: Trust,
  crypto: NitroCrypto,
  { input, time, trust }: VerificationRequest,
): Promise<TrustedFields & { readonly trust: Trust }> {
  const checklist = new StrictChecklist();
  const prepared = prepare(input, time, { trust, checklist });
  const computed = await compute(crypto, prepared, trust.policy);
  return finish(worth, prepared, { computed, trust, checklist });
}

/** The same, at once. */
export function verifySync<Trust extends 'verified' | 'archived'>(
  worth: Trust,
  crypto: SyncNitroCrypto,
  { input, time, trust }: VerificationRequest,
): TrustedFields & { readonly trust: Trust } {
  const checklist = new StrictChecklist();
  const prepared = prepare(input, time, { trust, checklist });
  const computed = computeSync(crypto, prepared, trust.policy);
  return finish(worth, prepared, { computed, trust, checklist });
}
