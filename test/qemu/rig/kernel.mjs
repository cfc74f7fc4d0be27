import { copyFile, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { cached } from './cache.mjs';
import { runCommand } from './command.mjs';
import { dependencyInBackports, installPackages, unpackFromBackports } from './debian.mjs';

/** What an enclave needs that Debian builds as modules, each after those that it stands on. */
const MODULES = [
  ...['virtio_mmio', 'vsock', 'vmw_vsock_virtio_transport_common', 'vmw_vsock_virtio_transport', 'vsock_loopback'],
  'nsm',
];

/**
 * Debian's cloud kernel of backports: the first that Debian built with the NSM driver is 6.12.
 * @returns {Promise<{ kernel: string, modules: readonly string[] }>} paths; modules in the order to load them.
 */
export async function prepareKernel() {
  const folder = await cached('kernel', MODULES, async (target) => {
    const work = await mkdtemp(join(tmpdir(), 'nitro-kernel-'));
    try {
      await installPackages(['xz-utils']);
      const image = await dependencyInBackports('linux-image-cloud-amd64', /Depends: (linux-image-\S+)/);
      await unpackFromBackports([image], work);
      const files = await readdir(work, { recursive: true });
      const kernel = files.find((path) => basename(path).startsWith('vmlinuz-'));
      if (kernel === undefined) throw new Error(`${image}: expected a vmlinuz file, found none`);
      await copyFile(join(work, kernel), join(target, 'vmlinuz'));
      for (const name of MODULES) {
        const path = files.find((file) => basename(file) === `${name}.ko.xz`);
        if (path === undefined) throw new Error(`${image}: expected the module ${name}, found none`);
        const module = await runCommand('xz', ['-dc', join(work, path)], { timeout: 60_000 });
        await writeFile(join(target, `${name}.ko`), module);
      }
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  });
  return { kernel: join(folder, 'vmlinuz'), modules: MODULES.map((name) => join(folder, `${name}.ko`)) };
}
