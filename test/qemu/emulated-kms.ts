// A KMS for the enclave in QEMU: the emulator's, behind the proxy of `parent` on port 8000.
import { startEmulatedKms, unsignedDocumentsAllowed } from '@nitro-enclaves/emulator';
import { KMS_PROXY_PORT } from '@nitro-enclaves/kms';
import { ProxyService } from '@nitro-enclaves/parent';
import type { Transport } from '@nitro-enclaves/vsock';
import type { KmsSettings } from './guest/guest-test.ts';
import { ENCLAVE_CID } from './rig/enclave.mjs';

const ACCOUNT = '111122223333';
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
}

/** Starts it, with keys for the image of `pcr0`. Its documents are unsigned in QEMU, which has to be allowed by name. */
export async function startKmsForEnclave(transport: Transport, pcr0: string): Promise<ReachableKms> {
  const kms = await startEmulatedKms({
    attestation: { [unsignedDocumentsAllowed]: true },
    accountId: ACCOUNT,
    keys: [
      { alias: 'alias/ours', policy: policyFor(pcr0) },
      { alias: 'alias/agreement', keySpec: 'ECC_NIST_P256', keyUsage: 'KEY_AGREEMENT', policy: policyFor(pcr0) },
      { alias: 'alias/others', policy: policyFor(OTHER_IMAGE) },
    ],
  });
  const { host, port } = kms;
  const proxy = new ProxyService({
    transport,
    config: {
      routes: [
        {
          direction: 'egress',
          name: 'kms',
          vsockPort: KMS_PROXY_PORT,
          cids: [ENCLAVE_CID],
          to: { kind: 'tcp', host, port },
          allow: [],
        },
      ],
      allowList: [{ address: host, port, allowPrivate: true }],
    },
  });
  await proxy.start();
  return {
    settings: { ca: kms.ca, region: kms.region, credentials: kms.credentials },
    [Symbol.asyncDispose]: async () => {
      await proxy.drain({ timeout: 0 });
      await kms.close();
    },
  };
}
