import type { Transport } from '@nitro-enclaves/vsock';
import { VMADDR_CID_LOCAL } from '@nitro-enclaves/vsock';
import type { GuestContext, Need, Parent } from './guest-test.ts';

const UNUSED_PORT = 7998;

/** Whether the kernel's vsock has a loopback: only then is a connection to oneself refused, and not unroutable. */
async function hasLoopback(transport: Transport): Promise<boolean> {
  try {
    (await transport.connect({ cid: VMADDR_CID_LOCAL, port: UNUSED_PORT })).destroy();
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && ['ECONNREFUSED', 'ECONNRESET'].includes(String(error.code));
  }
}

/** What tests have at hand in this enclave, and what they have to do without. */
export async function enclaveContext(transport: Transport, parent: Parent | undefined): Promise<GuestContext> {
  const missing = new Map<Need, string>();
  if (parent === undefined)
    missing.set('parent', 'needs the parent program (test/qemu/README.md says how to start it)');
  if (parent?.settings.kms === undefined) {
    missing.set('emulated-kms', 'needs the emulated KMS that accepts the unsigned documents of QEMU');
  }
  if (!(await hasLoopback(transport))) {
    missing.set('loopback', 'needs a kernel with CONFIG_VSOCKETS_LOOPBACK: that of AWS has it since 6.6, not 4.14');
  }
  return {
    transport,
    missing,
    parent: () => {
      if (parent === undefined) throw new Error('expected a test that says that it needs the parent');
      return parent;
    },
  };
}
