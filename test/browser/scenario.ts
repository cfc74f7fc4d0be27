// What is done alike in Node, in a page and in a worker. Everything in and out is JSON.
import type { AttestationPolicy } from '@nitro-enclaves/attestation';
import {
  allowAnyAge,
  allowAnyImage,
  createVerifier,
  customTrustAnchor,
  verifyArchivedAttestationDocument,
  verifyAttestationDocument,
} from '@nitro-enclaves/attestation';
import { decodeHex, NitroEnclavesError } from '@nitro-enclaves/core';
import { lintEif, measureEif } from '@nitro-enclaves/eif';

/** One document and when to verify it. */
export interface ScenarioDocument {
  readonly name: string;
  readonly hex: string;
  /** `archived`: at its own timestamp, under AWS's root. Otherwise at this time, under the scenario's root. */
  readonly at: number | 'archived';
}

export interface Scenario {
  readonly rootHex: string;
  readonly pcrs: { readonly 0: string; readonly 1: string; readonly 2: string };
  readonly documents: readonly ScenarioDocument[];
  readonly images: readonly { readonly name: string; readonly hex: string }[];
}

/** What came of each document and image: the same everywhere. */
export type Outcomes = Readonly<Record<string, unknown>>;

async function outcomeOf(work: () => Promise<unknown>): Promise<unknown> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof NitroEnclavesError)) throw error;
    return { refused: error.code, message: error.message };
  }
}

async function verifyOne({ rootHex, pcrs }: Scenario, { hex, at }: ScenarioDocument): Promise<unknown> {
  const document = decodeHex(hex);
  if (at === 'archived') {
    const { moduleId, timestamp, checks } = await verifyArchivedAttestationDocument(document, {
      [allowAnyImage]: true,
    });
    return { moduleId, timestamp, checks };
  }
  const policy: AttestationPolicy = {
    [customTrustAnchor]: decodeHex(rootHex),
    [allowAnyAge]: true,
    images: [{ pcrs }],
  };
  const { moduleId, timestamp, checks } = await verifyAttestationDocument(document, policy, { now: at });
  const again = await createVerifier({ policy }).verify(document, { now: at });
  return { moduleId, timestamp, checks, again: again.moduleId };
}

/** Verifies every document and measures every image. */
export async function play(scenario: Scenario): Promise<Outcomes> {
  const outcomes: Record<string, unknown> = {};
  for (const document of scenario.documents) {
    outcomes[document.name] = await outcomeOf(() => verifyOne(scenario, document));
  }
  for (const { name, hex } of scenario.images) {
    const bytes = decodeHex(hex);
    outcomes[name] = await outcomeOf(async () => ({
      pcrs: await measureEif(bytes),
      again: await measureEif(new Blob([bytes])),
      findings: (await lintEif(bytes)).map(({ rule }) => rule),
    }));
  }
  return outcomes;
}
