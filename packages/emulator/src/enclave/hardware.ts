import type { Nsm } from '@nitro-enclaves/nsm';
import { openNsm } from '@nitro-enclaves/nsm';
import type { Transport } from '@nitro-enclaves/vsock';
import { vsockTransport } from '@nitro-enclaves/vsock';

/** The kernel's own devices: /dev/nsm and AF_VSOCK. */
export async function openHardware(): Promise<{ nsm: Nsm; transport: Transport }> {
  return { nsm: await openNsm(), transport: vsockTransport() };
}
