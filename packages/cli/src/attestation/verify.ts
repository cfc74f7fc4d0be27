import type {
  ArchivedAttestationDocument,
  ArchivePolicy,
  AttestationPolicy,
  VerifiedAttestationDocument,
} from '@nitro-enclaves/attestation';
import {
  AttestationError,
  PolicyError,
  verifyArchivedAttestationDocument,
  verifyAttestationDocument,
} from '@nitro-enclaves/attestation';
import type { CheckOutcome } from '@nitro-enclaves/attestation/diagnosis';
import {
  diagnoseArchivedAttestationDocument,
  diagnoseAttestationDocument,
} from '@nitro-enclaves/attestation/diagnosis';
import type { CommandContext } from '../command-context.ts';
import { writeJson } from '../output.ts';
import { describeChain, describeChecks, describeFields, describePcrs } from './account.ts';
import type { JsonObject } from './account-json.ts';
import { chainToJson, checksToJson, documentToJson } from './account-json.ts';
import { readDocument } from './document-source.ts';
import type { PolicyFlags } from './policy-options.ts';
import { readPolicy } from './policy-options.ts';

/** Options of `attestation verify`. */
export interface VerifyFlags extends PolicyFlags {
  readonly json?: true;
  readonly archived?: true;
  /** In ms since the epoch. */
  readonly at?: number;
}

/** How a verification came out: what was found of each check, and the document or why there is none. */
interface Verdict {
  readonly outcomes: readonly CheckOutcome[];
  readonly document: VerifiedAttestationDocument | ArchivedAttestationDocument | null;
  readonly error: AttestationError | PolicyError | null;
}

type Trusted = VerifiedAttestationDocument | ArchivedAttestationDocument;

async function settle(verifying: Promise<Trusted>): Promise<Omit<Verdict, 'outcomes'>> {
  try {
    return { document: await verifying, error: null };
  } catch (error) {
    if (error instanceof AttestationError || error instanceof PolicyError) return { document: null, error };
    throw error;
  }
}

async function judge(bytes: Uint8Array, policy: unknown, { archived, at }: VerifyFlags): Promise<Verdict> {
  if (archived) {
    const rules = policy as ArchivePolicy;
    const outcomes = await diagnoseArchivedAttestationDocument(bytes, rules);
    return { outcomes, ...(await settle(verifyArchivedAttestationDocument(bytes, rules))) };
  }
  const rules = policy as AttestationPolicy;
  const options = { now: at ?? Date.now() };
  const outcomes = await diagnoseAttestationDocument(bytes, rules, options);
  return { outcomes, ...(await settle(verifyAttestationDocument(bytes, rules, options))) };
}

function conclusion({ document, error }: Verdict): string {
  if (document === null) return `REFUSED ${error?.code}\n`;
  const image = document.image?.name ?? (document.image ? `number ${document.image.index}` : 'any');
  const root = document.isCustomTrustAnchor ? 'INSECURE: a custom trust anchor' : 'AWS Nitro Enclaves Root-G1';
  const mode = document.debugMode ? '  INSECURE: debug mode' : '';
  const time = new Date(document.verifiedAt).toISOString();
  return `${document.trust.toUpperCase()} at ${time}  image: ${image}  root: ${root}${mode}\n`;
}

function toText(verdict: Verdict): string {
  const { outcomes, document } = verdict;
  const account = document && `${describeFields(document)}${describePcrs(document)}${describeChain(document.chain)}`;
  return `${describeChecks(outcomes)}${account ?? ''}${conclusion(verdict)}`;
}

function toJson({ outcomes, document, error }: Verdict): JsonObject {
  return {
    verdict: document?.trust ?? 'refused',
    error: error && { code: error.code, message: error.message, path: error.path ?? null },
    checks: checksToJson(outcomes),
    document: document && {
      ...documentToJson(document),
      verifiedAt: new Date(document.verifiedAt).toISOString(),
      debugMode: document.debugMode,
      image: document.image,
      instanceId: document.instanceId,
      region: document.region,
      policyId: document.policyId,
      isCustomTrustAnchor: document.isCustomTrustAnchor,
      chain: chainToJson(document.chain),
    },
  };
}

/** `attestation verify`: judges a document by a policy, and accounts for each check. */
export async function verifyCommand(source: string, flags: VerifyFlags, context: CommandContext): Promise<void> {
  const policy = await readPolicy(flags, context.cwd);
  const verdict = await judge(await readDocument(source, context), policy, flags);
  if (flags.json) writeJson(context, toJson(verdict));
  else context.stdout.write(toText(verdict));
  if (verdict.error !== null) throw verdict.error;
}
