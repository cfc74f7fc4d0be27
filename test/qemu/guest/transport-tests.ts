import { VMADDR_CID_LOCAL } from '@nitro-enclaves/vsock';
import { transportConformance } from '@nitro-enclaves/vsock/conformance';
import type { GuestTest } from './guest-test.ts';

/** The conformance suite on the kernel's own loopback: both ends are AF_VSOCK sockets of ours. */
export const transportTests: readonly GuestTest[] = transportConformance.map(({ name, run }) => ({
  name: `vsock conformance: ${name}`,
  needs: 'loopback',
  timeout: 150_000,
  run: async ({ transport }) => {
    await run({ client: transport, server: transport, serverCid: VMADDR_CID_LOCAL, clientCid: VMADDR_CID_LOCAL });
    return undefined;
  },
}));
