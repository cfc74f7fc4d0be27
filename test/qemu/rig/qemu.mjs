import { copyFile, cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { cached } from './cache.mjs';
import { runCommand } from './command.mjs';
import { installPackages, unpackFromBackports, unpackPackages, unpackSource } from './debian.mjs';

const MINUTE = 60_000;
const PYTHON = '/usr/bin/python3';

const BUILD_PACKAGES = [
  ...['gcc', 'libc6-dev', 'dpkg-dev', 'xz-utils', 'ninja-build', 'pkg-config', 'flex', 'bison'],
  ...['python3-venv', 'libglib2.0-dev', 'libfdt-dev', 'libcbor-dev', 'libgnutls28-dev', 'zlib1g-dev'],
];

/** Nothing but the machine type and the two virtio devices it always has: fewer devices, fewer files to compile. */
const DEVICES = `CONFIG_PCI_DEVICES=n
CONFIG_MICROVM=y
CONFIG_NITRO_ENCLAVE=y
CONFIG_VIRTIO_SERIAL=y
CONFIG_VIRTIO_RNG=y
`;

/** `nitro-enclave` needs libcbor (its NSM) and GnuTLS (its hashes), which is why no distribution's QEMU has it. */
const CONFIGURE = [
  ...['--target-list=x86_64-softmmu', '--enable-system', '--enable-tcg'],
  ...['--without-default-features', '--without-default-devices', '--with-devices-x86_64=nitro'],
  ...['--enable-fdt=system', '--enable-libcbor', '--enable-gnutls', '--enable-vhost-user', '--enable-coroutine-pool'],
  ...['--disable-debug-info', '--disable-docs', '--disable-tools', '--disable-guest-agent'],
  ...['--disable-install-blobs', '--disable-werror'],
];

const FIRMWARE = [
  'usr/share/seabios/bios-microvm.bin',
  ...['linuxboot_dma.bin', 'pvh.bin', 'qboot.rom'].map((name) => `usr/share/qemu/${name}`),
];

/** A virtual environment with a Meson that is new enough: Debian 12's own is older than QEMU asks for. */
async function pythonWithMeson(work) {
  const meson = join(work, 'meson');
  await mkdir(meson);
  await unpackFromBackports(['meson'], meson);
  const environment = join(work, 'python');
  await runCommand(PYTHON, ['-m', 'venv', environment], { timeout: 5 * MINUTE });
  const [version] = await readdir(join(environment, 'lib'));
  const modules = join(environment, 'lib', version, 'site-packages');
  await cp(join(meson, 'usr/lib/python3/dist-packages'), modules, { recursive: true });
  return join(environment, 'bin/python');
}

async function compile(work, output) {
  await unpackSource('qemu', work);
  await writeFile(join(work, 'source/configs/devices/x86_64-softmmu/nitro.mak'), DEVICES);
  const build = join(work, 'build');
  await mkdir(build);
  const python = await pythonWithMeson(work);
  const configure = ['../source/configure', `--python=${python}`, ...CONFIGURE];
  await runCommand('sh', configure, { cwd: build, timeout: 10 * MINUTE });
  const jobs = ['-j', String(availableParallelism()), 'qemu-system-x86_64'];
  await runCommand('ninja', jobs, { cwd: build, timeout: 40 * MINUTE });
  await runCommand('strip', ['-o', output, join(build, 'qemu-system-x86_64')], { timeout: MINUTE });
}

async function collectFirmware(work, folder) {
  const packages = join(work, 'firmware');
  await mkdir(packages);
  await unpackPackages(['seabios', 'qemu-system-data'], packages);
  await mkdir(folder);
  for (const path of FIRMWARE)
    await copyFile(join(packages, path), join(folder, path.slice(path.lastIndexOf('/') + 1)));
}

/**
 * QEMU with the `nitro-enclave` machine, built from Debian's source, and its firmware.
 * @returns {Promise<{ program: string, firmware: string }>}
 */
export async function prepareQemu() {
  const recipe = [DEVICES, ...CONFIGURE, ...FIRMWARE];
  // Also when the build is cached: its libraries are these packages' dependencies.
  await installPackages(BUILD_PACKAGES);
  const folder = await cached('qemu', recipe, async (target) => {
    const work = await mkdtemp(join(tmpdir(), 'nitro-qemu-'));
    try {
      await compile(work, join(target, 'qemu-system-x86_64'));
      await collectFirmware(work, join(target, 'firmware'));
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  });
  return { program: join(folder, 'qemu-system-x86_64'), firmware: join(folder, 'firmware') };
}
