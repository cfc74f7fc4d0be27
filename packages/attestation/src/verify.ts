import type { Checklist } from './checks.ts';
import { StrictChecklist } from './checks.ts';
import type { PolicyDigests } from './compiled-policy.ts';
import type { NitroCrypto, SyncNitroCrypto } from './crypto.ts';
import { judge } from './policy-checks.ts';
import { awsRoot, recognizeRoot } from './trust-anchor.ts';
import type { PreparedVerification, VerificationRequest } from './verification.ts';
import { checkSignatures, open, prepare } from './verification.ts';
import type { TrustedFields } from './verified-document.ts';
import { describeVerified } from './verified-document.ts';

/** What needs a key or a hash function, done. */
interface Computed {
  /** Whether each pending signature holds, `undefined` when its key is none; absent after the first that does not. */
  readonly holds: readonly (boolean | undefined)[];
  readonly digests: PolicyDigests;
}

/** One signature after the other, and none after the first that fails: a forgery costs little. */
function computeSync(
  crypto: SyncNitroCrypto,
  { pending }: PreparedVerification,
  { policy }: VerificationRequest,
): Computed {
  const holds: (boolean | undefined)[] = [];
  for (const { signer, message, signature } of pending) {
    const isHeld = crypto.verify(signer.own.certificate.publicKey, message, signature);
    holds.push(isHeld);
    if (!isHeld) break;
  }
  const hash = (preimage: Uint8Array | undefined) => preimage && crypto.sha384(preimage);
  const { instanceId, roleArn, binding } = policy;
  return { holds, digests: { instanceId: hash(instanceId), roleArn: hash(roleArn), binding: hash(binding) } };
}

/** Everything up to the signatures. Waits only for the digest of a root, once in a program's life. */
export async function openAndPrepare(
  crypto: NitroCrypto,
  request: VerificationRequest,
  checklist: Checklist,
): Promise<PreparedVerification> {
  const opened = open(request, checklist);
  const { root } = opened;
  const anchor = request.policy.trustAnchor ?? awsRoot() ?? recognizeRoot(root, await crypto.sha256(root));
  return prepare({ ...opened, anchor }, request, checklist);
}

/** All at once, each signature on whatever thread is free. A leaf's key is used before it is trusted, its answer afterwards. */
export async function compute(
  crypto: NitroCrypto,
  { pending }: PreparedVerification,
  { policy }: VerificationRequest,
): Promise<Computed> {
  const verifying = pending.map(({ signer, message, signature }) =>
    crypto.verify(signer.own.certificate.publicKey, message, signature),
  );
  const hash = (preimage: Uint8Array | undefined) => preimage && crypto.sha384(preimage);
  const hashing = [policy.instanceId, policy.roleArn, policy.binding].map(hash);
  const [holds, [instanceId, roleArn, binding]] = await Promise.all([Promise.all(verifying), Promise.all(hashing)]);
  return { holds, digests: { instanceId, roleArn, binding } };
}

/** What is left to do once the signatures were computed: no key and no clock needed. */
function finish<Trust extends 'verified' | 'archived'>(
  trust: Trust,
  prepared: PreparedVerification,
  { policy, cache }: VerificationRequest,
  { holds, digests, checklist }: Computed & { readonly checklist: StrictChecklist },
): TrustedFields & { readonly trust: Trust } {
  checkSignatures(prepared, holds, checklist);
  let issuerId = 0;
  for (const { own, id } of prepared.links) issuerId = id ?? cache.add(own, issuerId).id;
  const evidence = { ...prepared, policy, digests };
  judge(evidence, checklist);
  return describeVerified(trust, evidence, checklist.passed);
}

/** Verifies a document in AWS's order: syntax, chain, signature (attestation_process.md §3.2), and then the policy. */
export async function verify<Trust extends 'verified' | 'archived'>(
  trust: Trust,
  crypto: NitroCrypto,
  request: VerificationRequest,
): Promise<TrustedFields & { readonly trust: Trust }> {
  const checklist = new StrictChecklist();
  const prepared = await openAndPrepare(crypto, request, checklist);
  const computed = await compute(crypto, prepared, request);
  return finish(trust, prepared, request, { ...computed, checklist });
}

/** The same, at once. */
export function verifySync<Trust extends 'verified' | 'archived'>(
  trust: Trust,
  crypto: SyncNitroCrypto,
  request: VerificationRequest,
): TrustedFields & { readonly trust: Trust } {
  const checklist = new StrictChecklist();
  const opened = open(request, checklist);
  const { root } = opened;
  const anchor = request.policy.trustAnchor ?? awsRoot() ?? recognizeRoot(root, crypto.sha256(root));
  const prepared = prepare({ ...opened, anchor }, request, checklist);
  const computed = computeSync(crypto, prepared, request);
  return finish(trust, prepared, request, { ...computed, checklist });
}
