import type { EmulatedCredentials, EmulatedKmsOptions, NitroPki } from '@nitro-enclaves/emulator';
import { createNitroPki } from '@nitro-enclaves/emulator';

/** When the requests were recorded: signatures hold for five minutes around it. */
export const RECORDED_AT = Date.UTC(2026, 0, 15, 12, 0, 0);

export const RECORDED_CREDENTIALS: EmulatedCredentials = {
  accessKeyId: 'ASIAEMULATEDRECORD01',
  secretAccessKey: 'made up for these recordings',
  sessionToken: 'a session token made up for these recordings',
  principalArn: 'arn:aws:sts::111122223333:assumed-role/enclave/i-1234567890abcdef0',
};

/** The PKI whose documents the requests carry: its seed makes it the same each time. */
export function recordedPki(): Promise<NitroPki> {
  return createNitroPki({ seed: 'recorded requests', clock: () => RECORDED_AT });
}

/** The KMS that the requests were made for. `clock` moves it away from then. */
export function recordedOptions(pki: NitroPki, clock: () => number = () => RECORDED_AT): EmulatedKmsOptions {
  return {
    attestation: { roots: [pki.rootCertificate] },
    credentials: [RECORDED_CREDENTIALS],
    clock,
    keys: [
      {
        alias: 'alias/recorded',
        keyId: '11111111-2222-3333-4444-555555555555',
        material: new TextEncoder().encode('the key of the recorded requests'),
      },
    ],
  };
}
