// A KMS for the enclave in QEMU: the emulator's, behind the proxy of `parent` on port 8000, and credentials on 8001. Faults are
// put between at the guest's request.
import type { EmulatedKms, Faults } from '@nitro-enclaves/emulator';
import {
  FaultController,
  faultyTransport,
  Seed,
  startEmulatedKms,
  unsignedDocumentsAllowed,
} from '@nitro-enclaves/emulator';
import { KMS_PROXY_PORT } from '@nitro-enclaves/kms';
import { ProxyService } from '@nitro-enclaves/parent';
import type { Transport } from '@nitro-enclaves/vsock';
import { startCredentialService } from '../../packages/emulator/src/parent/credential-service.ts';
import { SessionIssuer } from '../../packages/emulator/src/parent/session-credentials.ts';
import type { KmsSettings } from './guest/guest-test.ts';
import { ENCLAVE_CID } from './rig/enclave.mjs';

const ACCOUNT = '111122223333';
const KEY_ID = '11111111-2222-4333-8444-555555555555';
const AGREEMENT_KEY_ID = '22222222-3333-4444-8555-666666666666';
const INSTANCE = { instanceId: 'i-0123456789abcdef0', roleArn: `arn:aws:iam::${ACCOUNT}:role/parent` } as const;
const OTHER_IMAGE = 'ff'.repeat(48);

/** A key policy under which the account administers, and only an enclave of the image uses the key. */
function policyFor(pcr0: string) {
  const Principal = { AWS: `arn:aws:iam::${ACCOUNT}:root` };
  const use = ['kms:Decrypt', 'kms:GenerateDataKey', 'kms:GenerateDataKeyPair', 'kms:DeriveSharedSecret'];
  const Condition = { StringEqualsIgnoreCase: { 'kms:RecipientAttestation:ImageSha384': pcr0 } };
  return {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Principal,
        Action: ['kms:GetPublicKey', 'kms:DescribeKey', 'kms:PutKeyPolicy'],
        Resource: '*',
      },
      { Effect: 'Allow', Principal, Action: use, Resource: '*', Condition },
    ],
  };
}

/** A KMS that the enclave reaches. */
export interface ReachableKms extends AsyncDisposable {
  readonly settings: KmsSettings;
  /** Replaces what goes wrong in it, and on the way there. */
  inject(faults: Faults): void;
}

/** What the parent needs to be in between. */
export interface ParentPlace {
  readonly transport: Transport;
  /** Folder for sockets of a moment. */
  readonly scratch: string;
}

function startKms(pcr0: string, faults: FaultController): Promise<EmulatedKms> {
  const policy = policyFor(pcr0);
  return startEmulatedKms({
    attestation: { [unsignedDocumentsAllowed]: true },
    accountId: ACCOUNT,
    faults: faults.kms,
    keys: [
      { keyId: KEY_ID, alias: 'alias/ours', policy },
      {
        ...{ keyId: AGREEMENT_KEY_ID, keySpec: 'ECC_NIST_P256', keyUsage: 'KEY_AGREEMENT' },
        ...{ alias: 'alias/agreement', policy },
      },
      { alias: 'alias/others', policy: policyFor(OTHER_IMAGE) },
    ],
  });
}

async function startProxy(transport: Transport, { host, port }: EmulatedKms): Promise<ProxyService> {
  const to = { kind: 'tcp', host, port } as const;
  const route = {
    direction: 'egress',
    name: 'kms',
    vsockPort: KMS_PROXY_PORT,
    cids: [ENCLAVE_CID],
    to,
    allow: [],
  } as const;
  const allowList = [{ address: host, port, allowPrivate: true }];
  const proxy = new ProxyService({ transport, config: { routes: [route], allowList } });
  await proxy.start();
  return proxy;
}

/** Starts it, with keys for the image of `pcr0`. Its documents are unsigned in QEMU, which has to be allowed by name. */
export async function startKmsForEnclave({ transport, scratch }: ParentPlace, pcr0: string): Promise<ReachableKms> {
  const faults = new FaultController(Seed.from('faults in QEMU'));
  const parent = faultyTransport({ transport, faults: faults.transport, scratch });
  const kms = await startKms(pcr0, faults);
  const proxy = await startProxy(parent, kms);
  const issuer = new SessionIssuer({ kms, seed: Seed.from('sessions'), ...INSTANCE, clock: Date.now });
  const credentials = await startCredentialService({ transport: parent, issuer, faults, clock: Date.now });
  const arnOf = (keyId: string) => `arn:aws:kms:${kms.region}:${ACCOUNT}:key/${keyId}`;
  return {
    settings: {
      ...{ ca: kms.ca, region: kms.region, credentials: kms.credentials },
      ...{ keyArn: arnOf(KEY_ID), agreementKeyArn: arnOf(AGREEMENT_KEY_ID) },
    },
    inject: (replaced) => faults.set(replaced),
    [Symbol.asyncDispose]: async () => {
      await proxy.drain({ timeout: 0 });
      await credentials.close();
      await kms.close();
    },
  };
}
