import { prepareBackend } from './backend.mjs';
import { prepareKernel } from './kernel.mjs';
import { prepareQemu } from './qemu.mjs';

/** Why this machine cannot run the rig, or `undefined` if it can. */
export function rigImpossible() {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return `needs Linux on x86_64, found ${process.platform} on ${process.arch}`;
  }
  if (process.getuid() !== 0) return 'needs root, to install the Debian packages that QEMU is built with';
  return undefined;
}

/**
 * Everything that an enclave in QEMU needs beside its image. What is there already is checked and used again.
 * @param {(what: string) => void} [progress]
 * @returns {Promise<{ program: string, firmware: string, backend: string, kernel: string, modules: readonly string[] }>}
 */
export async function prepareRig(progress = () => {}) {
  const { kernel, modules } = await prepareKernel();
  progress(`kernel and modules: ${kernel}`);
  const { program, firmware } = await prepareQemu();
  progress(`QEMU: ${program}`);
  const backend = await prepareBackend();
  progress(`vsock back end: ${backend}`);
  return { program, firmware, backend, kernel, modules };
}

/**
 * Why there is no rig on this machine, or `undefined` once there is one: also when Debian's packages cannot be fetched, which
 * says nothing about the project. A build that fails is an error.
 */
export async function rigUnavailable() {
  const impossible = rigImpossible();
  if (impossible !== undefined) return impossible;
  try {
    await prepareRig();
    return undefined;
  } catch (error) {
    const [first = ''] = error instanceof Error ? error.message.split('\n') : [];
    if (first.startsWith('apt-'))
      return `needs packages of Debian 12, its backports and the source of 13, found that ${first}`;
    throw error;
  }
}
