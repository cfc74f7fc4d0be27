// What our sockets cost on the real kernel's AF_VSOCK: an enclave in QEMU compares them with a C program over its own
// loopback. Under software emulation, so the ratios mean something and the figures nothing. Needs what `pnpm test:qemu` needs.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildEif } from '@nitro-enclaves/eif';
import { bundleProgram } from '../../test/qemu/rig/bundle.mjs';
import { runCommand } from '../../test/qemu/rig/command.mjs';
import { QemuEnclave } from '../../test/qemu/rig/enclave.mjs';
import { copyProgram } from '../../test/qemu/rig/guest-root.mjs';
import { CMDLINE } from '../../test/qemu/rig/image.mjs';
import { prepareRig, rigImpossible } from '../../test/qemu/rig/rig.mjs';

const MINUTE = 60_000;
const source = (name) => fileURLToPath(new URL(`guest/${name}`, import.meta.url));

async function buildImage(folder, { kernel, modules }) {
  const root = join(folder, 'root');
  await copyProgram(root, process.execPath, '/usr/bin/node');
  await bundleProgram(source('loopback.mjs'), join(root, 'app'), 'loopback.mjs');
  const peer = join(root, 'usr/bin/vsock-peer');
  await runCommand('gcc', ['-O2', '-static', '-o', peer, source('vsock-peer.c')], { timeout: MINUTE });
  const output = join(folder, 'bench.eif');
  const cmd = ['/usr/bin/node', '/app/lib/loopback.mjs'];
  await buildEif({ output, rootfs: root, cmd, kernel, modules, cmdline: CMDLINE, heartbeat: false });
  return output;
}

async function measure() {
  const rig = await prepareRig();
  const folder = await mkdtemp(join(tmpdir(), 'nitro-'));
  try {
    const image = await buildImage(folder, rig);
    const enclave = await QemuEnclave.boot({ rig, image, folder, memory: 768, onConsole: (line) => console.log(line) });
    const life = setTimeout(() => enclave.terminate(), 15 * MINUTE);
    await enclave.ended;
    clearTimeout(life);
    await enclave.terminate();
    if (!enclave.console.some((line) => line.includes('ended with exit code 0'))) process.exitCode = 1;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const impossible = rigImpossible();
if (impossible === undefined) await measure();
else console.log(`not measured: ${impossible}`);
