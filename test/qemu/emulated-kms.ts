// A KMS for the enclave in QEMU: the emulator's, behind a relay on the parent's port 8000 as AWS's vsock-proxy would be.
import { connect } from 'node:net';
import { pipeline } from 'node:stream';
import { startEmulatedKms, unsignedDocumentsAllowed } from '@nitro-enclaves/emulator';
import { KMS_PROXY_PORT } from '@nitro-enclaves/kms';
import type { Transport, VsockSocket } from '@nitro-enclaves/vsock';
import type { KmsSettings } from './guest/guest-test.ts';

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

function relay(socket: VsockSocket, { host, port }: { host: string; port: number }): void {
  const upstream = connect({ host, port, allowHalfOpen: true });
  const cut = (error: unknown): void => {
    if (!error) return;
    socket.destroy();
    upstream.destroy();
  };
  pipeline(socket, upstream, cut);
  pipeline(upstream, socket, cut);
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
  const server = await transport
    .createServer({ allowHalfOpen: true }, (socket) => relay(socket, kms))
    .listen({ port: KMS_PROXY_PORT });
  return {
    settings: { ca: kms.ca, region: kms.region, credentials: kms.credentials },
    [Symbol.asyncDispose]: async () => {
      await server.drain({ timeout: 0 });
      await kms.close();
    },
  };
}
