import type { Nsm } from '@nitro-enclaves/nsm';
import type { CommandContext } from '../command-context.ts';

/** Opens the NSM of the place that this command runs in, an emulator's or the kernel's, for the length of `use`. */
export async function withNsm<T>(context: CommandContext, use: (nsm: Nsm) => Promise<T>): Promise<T> {
  // Loaded here, so that commands which need no enclave load nothing native.
  const { openEnclave } = await import('@nitro-enclaves/emulator/enclave');
  await using enclave = await openEnclave({ hardware: true, env: context.env });
  return await use(enclave.nsm);
}
