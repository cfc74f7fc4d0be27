import type { Transport } from '@nitro-enclaves/vsock';
import type { FaultController } from '../faults.ts';
import type { EmulatedKms, EmulatedKmsOptions } from '../kms/index.ts';
import { startEmulatedKms } from '../kms/index.ts';
import type { NitroPki } from '../pki/nitro-pki.ts';
import type { Seed } from '../seed.ts';
import { startCredentialService } from './credential-service.ts';
import { startKmsRelay } from './kms-relay.ts';
import { SessionIssuer } from './session-credentials.ts';

/** What an emulator leaves open about its KMS. */
export type EmulatorKmsOptions = Omit<
  EmulatedKmsOptions,
  'attestation' | 'clock' | 'faults' | 'region' | 'seed' | 'signal'
>;

/** What the parent's services are made of. */
export interface ParentServicesOptions {
  readonly pki: NitroPki;
  readonly transport: Transport;
  readonly faults: FaultController;
  readonly seed: Seed;
  readonly instanceId: string;
  readonly roleArn: string | undefined;
  readonly kms: EmulatorKmsOptions;
}

/** KMS, and what enclaves reach of the parent: a relay to KMS on port 8000, credentials on port 8001. */
export interface ParentServices {
  readonly kms: EmulatedKms;
  close(): Promise<void>;
}

/** Where the KMS keeps its keys unless that is said: in the account of the parent's role, as most people's are. */
function accountOf(roleArn: string | undefined): { accountId?: string } {
  const accountId = roleArn?.split(':')[4];
  return accountId === undefined ? {} : { accountId };
}

/** Starts KMS and the parent's services. */
export async function startParentServices(options: ParentServicesOptions): Promise<ParentServices> {
  const { pki, faults, seed, roleArn } = options;
  const { clock, region } = pki;
  const kms = await startEmulatedKms({
    ...accountOf(roleArn),
    ...options.kms,
    attestation: { roots: [pki.rootCertificate] },
    region,
    clock,
    faults: faults.kms,
    seed: seed.bytes,
  });
  try {
    return await startBeside(kms, options);
  } catch (error) {
    // A server left open would keep the process alive.
    await kms.close();
    throw error;
  }
}

async function startBeside(kms: EmulatedKms, options: ParentServicesOptions): Promise<ParentServices> {
  const { pki, transport, faults, seed, instanceId, roleArn } = options;
  const { clock } = pki;
  const relay = await startKmsRelay(transport, kms);
  const issuer = new SessionIssuer({ kms, seed: seed.child('sessions'), instanceId, roleArn, clock });
  const credentials = await startCredentialService({ transport, issuer, faults, clock });
  return {
    kms,
    close: async () => {
      await Promise.all([relay.drain({ timeout: 0 }), credentials.close(), kms.close()]);
    },
  };
}
