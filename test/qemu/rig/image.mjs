import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildEif } from '@nitro-enclaves/eif';
import { GUEST_COMMAND, makeGuestRoot } from './guest-root.mjs';

/** AWS's own command line, without what only its kernel understands. */
export const CMDLINE = 'reboot=k panic=30 pci=off console=ttyS0 random.trust_cpu=on';

/**
 * Builds the test image.
 * @param {{ output: string, boot: object, options?: object }} image `boot` is what boots: a kernel and its modules, or
 * nitro-cli's blobs folder; `options` are more options of `buildEif`.
 */
export async function buildTestImage({ output, boot, options = {} }) {
  const root = await mkdtemp(join(tmpdir(), 'nitro-guest-'));
  try {
    await makeGuestRoot(root);
    return await buildEif({
      output,
      rootfs: root,
      cmd: GUEST_COMMAND,
      name: 'nitro-enclaves-guest-tests',
      ...('kernel' in boot ? { cmdline: CMDLINE } : {}),
      ...boot,
      ...options,
    });
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}
