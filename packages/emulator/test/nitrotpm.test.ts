import type { AttestationPolicy } from '@nitro-enclaves/attestation';
import { customTrustAnchor, verifyAttestationDocument } from '@nitro-enclaves/attestation';
import type { PayloadEncoding } from '@nitro-enclaves/emulator';
import { createNitroPki, issueAttestationDocument } from '@nitro-enclaves/emulator';
import { describe, expect, it } from 'vitest';

const pki = await createNitroPki({ seed: 'tpm' });
const NONCE = new Uint8Array(32).fill(3);
const PCRS = Object.fromEntries(Array.from({ length: 24 }, (_, index) => [index, new Uint8Array(48).fill(index + 1)]));

function issue(encoding: PayloadEncoding, kind: 'nitrotpm' | 'enclave' = 'nitrotpm'): Promise<Uint8Array> {
  const moduleId = 'i-1234567890abcdef0-tpm0000000000000000';
  return issueAttestationDocument(pki, { kind, moduleId, pcrs: PCRS, nonce: NONCE, encoding });
}

const POLICY: AttestationPolicy = {
  kind: 'nitrotpm',
  images: [{ pcrs: { 4: PCRS[4] ?? '', 7: PCRS[7] ?? '' } }],
  freshness: { nonce: NONCE },
  [customTrustAnchor]: pki.rootCertificate,
};

describe.each(['indefinite', 'definite'] as const)('documents of an instance with NitroTPM, %s', (encoding) => {
  it('verify by a policy for such', async () => {
    const verified = await verifyAttestationDocument(await issue(encoding), POLICY);
    expect(verified).toMatchObject({ kind: 'nitrotpm', instanceId: 'i-1234567890abcdef0', debugMode: false });
    expect(Object.keys(verified.pcrs)).toHaveLength(24);
  });

  it('are refused by a policy for enclaves, and those of enclaves by this', async () => {
    const { [customTrustAnchor]: anchor } = POLICY as { [customTrustAnchor]: Uint8Array };
    const enclaves: AttestationPolicy = {
      images: [{ pcrs: { 0: PCRS[0] ?? '', 1: PCRS[1] ?? '', 2: PCRS[2] ?? '' } }],
      freshness: { nonce: NONCE },
      [customTrustAnchor]: anchor,
    };
    await expect(verifyAttestationDocument(await issue(encoding), enclaves)).rejects.toMatchObject({
      code: 'KIND_MISMATCH',
    });
    const enclave = await issue(encoding, 'enclave');
    await expect(verifyAttestationDocument(enclave, POLICY)).rejects.toMatchObject({ code: 'KIND_MISMATCH' });
    await expect(verifyAttestationDocument(enclave, enclaves)).resolves.toBeDefined();
  });

  it('never verify under the default root', async () => {
    const { [customTrustAnchor]: _, ...policy } = POLICY as AttestationPolicy & { [customTrustAnchor]: Uint8Array };
    await expect(verifyAttestationDocument(await issue(encoding), policy)).rejects.toMatchObject({
      code: 'TRUST_ANCHOR',
    });
  });
});
