import { createHash } from 'node:crypto';
import type { EnclaveImage } from '@nitro-enclaves/attestation';
import { allowAnyAge, allowAnyImage, customTrustAnchor } from '@nitro-enclaves/attestation';
import type { AttestationDocumentRequest } from '@nitro-enclaves/emulator';
import { createNitroPki, issueAttestationDocument } from '@nitro-enclaves/emulator';

/** The moment at which the documents of these tests are made and verified. */
export const NOW: number = Date.UTC(2026, 4, 17, 9, 30, 11, 250);
export const INSTANCE_ID = 'i-1234567890abcdef0';
export const MODULE_ID: string = `${INSTANCE_ID}-enc0198bc571bf3e785`;
export const ROLE_ARN = 'arn:aws:iam::123456789012:role/Webserver';
export const ZERO_PCR: string = '0'.repeat(96);

/** A PCR value that stands for `text`. */
export function pcrOf(text: string): string {
  return createHash('sha384').update(text).digest('hex');
}

/** A register of zeros, extended once by `content`: PCR3 and PCR4, as the Nitro Enclaves User Guide calculates them. */
export function measurementOf(content: string | Uint8Array): string {
  return createHash('sha384').update(new Uint8Array(48)).update(content).digest('hex');
}

/** The 16 PCRs that are locked at boot, of the release `release`. */
export function pcrsOf(release: string): Record<number, string> {
  const zeros = Object.fromEntries(Array.from({ length: 16 }, (_, index) => [index, ZERO_PCR]));
  return {
    ...zeros,
    0: pcrOf(`${release} image`),
    1: pcrOf(`${release} kernel`),
    2: pcrOf(`${release} application`),
    3: measurementOf(ROLE_ARN),
    4: measurementOf(INSTANCE_ID),
  };
}

/** The release `release` as a policy names it. */
export function imageOf(release: string): EnclaveImage {
  const pcrs = pcrsOf(release);
  return { name: release, pcrs: { 0: pcrs[0] ?? '', 1: pcrs[1] ?? '', 2: pcrs[2] ?? '' } };
}

export const pki = await createNitroPki({ seed: 'attestation', clock: () => NOW });

/** Signs a document of release 1.0, with what `request` changes. */
export function issue(request: Partial<AttestationDocumentRequest> = {}): Promise<Uint8Array> {
  return issueAttestationDocument(pki, { moduleId: MODULE_ID, pcrs: pcrsOf('1.0'), ...request });
}

/** The test PKI as trust anchor: every policy of these tests needs it. */
export const TRUST = { [customTrustAnchor]: pki.rootCertificate };
/** The least that can be asked: any image at any age. */
export const LAX = { ...TRUST, [allowAnyImage]: true, [allowAnyAge]: true } as const;
