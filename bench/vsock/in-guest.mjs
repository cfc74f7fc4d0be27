// Our sockets beside a C program that does the same, over the AF_VSOCK loopback of a real kernel: that of an enclave image
// in QEMU's `nitro-enclave` machine, with the rig of test/qemu. Processors there are emulated, for both alike. C uses epoll and
// descriptors that do not block, as Node does, and both have two processes, one for each end, on a processor of its own; the
// plain cases over AF_UNIX tell what the language costs there and what the family.
//
// Measured twice: by the clock, where waking an emulated processor costs what the host's other work makes it cost, and by
// the instructions that both ends execute, kernel and all, which hardly differ from run to run. Of a string instruction, by
// which kernels copy, QEMU counts and executes each step: that is most of a MiB, and is so by the clock too.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildEif } from '@nitro-enclaves/eif';
import { unixTransport, VMADDR_CID_PARENT } from '@nitro-enclaves/vsock';
import { bundleProgram } from '../../test/qemu/rig/bundle.mjs';
import { runCommand } from '../../test/qemu/rig/command.mjs';
import { QemuEnclave } from '../../test/qemu/rig/enclave.mjs';
import { copyProgram } from '../../test/qemu/rig/guest-root.mjs';
import { CMDLINE } from '../../test/qemu/rig/image.mjs';
import { prepareRig, rigImpossible } from '../../test/qemu/rig/rig.mjs';
import { printClaim } from '../side-by-side.mjs';

const HEARTBEAT_PORT = 9000;
const ENCLAVE_LIFE_MS = 600_000;
const [MEBIBYTES, PINGS] = [64, 1000];
const WAYS = {
  'by the clock': { rounds: 15, byInstructions: false },
  'by instructions': { rounds: 3, byInstructions: true },
};

const NAMES = {
  c: 'C, epoll, AF_VSOCK',
  cUnix: 'C, epoll, AF_UNIX',
  cBlocking: 'C, blocking, AF_VSOCK',
  ours: 'ours, AF_VSOCK',
  plainUnix: 'plain net, AF_UNIX',
};

function source(name) {
  return fileURLToPath(new URL(`guest/${name}`, import.meta.url));
}

async function buildImage(folder, { kernel, modules }, rounds) {
  const rootfs = join(folder, 'root');
  const program = join(folder, 'loopback');
  await runCommand('gcc', ['-O2', '-o', program, source('loopback.c')], { timeout: 60_000 });
  await copyProgram(rootfs, process.execPath, '/usr/bin/node');
  await copyProgram(rootfs, program, '/app/loopback');
  await bundleProgram(source('loopback.mjs'), join(rootfs, 'app'), 'loopback.mjs');
  const output = join(folder, 'bench.eif');
  const cmd = ['/usr/bin/node', '/app/lib/loopback.mjs', '/app/loopback', ...[MEBIBYTES, PINGS, rounds].map(String)];
  await buildEif({ output, rootfs, cmd, name: 'bench', cmdline: CMDLINE, kernel, modules });
  return output;
}

/** The line of figures that the image prints, of all that its console says. */
async function runImage(folder, rig, image, byInstructions) {
  const parent = unixTransport({ folder, cid: VMADDR_CID_PARENT }).createServer({}, (socket) => {
    socket.on('error', () => {}).once('data', (bytes) => socket.end(bytes));
  });
  await parent.listen({ port: HEARTBEAT_PORT });
  const enclave = await QemuEnclave.boot({ rig, image, folder, memory: 1024, byInstructions });
  const life = setTimeout(() => enclave.terminate(), ENCLAVE_LIFE_MS);
  await enclave.ended;
  clearTimeout(life);
  await enclave.terminate();
  await parent.drain({ timeout: 0 });
  const line = enclave.console.find((text) => text.startsWith('{"cases":'));
  if (line === undefined) throw new Error(`expected figures, found:\n${enclave.console.slice(-30).join('\n')}`);
  return JSON.parse(line);
}

async function measure(rig, { rounds, byInstructions }) {
  const folder = await mkdtemp(join(tmpdir(), 'bench-'));
  try {
    return await runImage(folder, rig, await buildImage(folder, rig, rounds), byInstructions);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function print(way, { cases, overC, overBlockingC }) {
  const unit = WAYS[way].byInstructions ? 'thousand instructions' : 'µs';
  console.log(`${way}, in ${unit}:`);
  for (const [name, { bulkMs, pingMs }] of Object.entries(cases)) {
    const [mebibyte, trip] = [(bulkMs * 1000) / MEBIBYTES, (pingMs * 1000) / PINGS];
    console.log(
      `  ${NAMES[name].padEnd(22)} ${mebibyte.toFixed(0).padStart(6)} a MiB ${trip.toFixed(0).padStart(6)} a round trip`,
    );
  }
  const { throughput, roundTrip } = overBlockingC;
  console.log(`  over blocking C: throughput ${throughput.toFixed(2)}, round trip ${roundTrip.toFixed(2)}`);
  printClaim(`${way}, throughput of C over ours`, { ratio: 1 / overC.throughput, atMost: 1 / 0.8 });
  printClaim(`${way}, round trip of ours over C`, { ratio: overC.roundTrip, atMost: 2 });
}

async function main() {
  const impossible = rigImpossible();
  if (impossible !== undefined) return console.log(`skipped: ${impossible}`);
  const rig = await prepareRig();
  for (const [way, options] of Object.entries(WAYS)) print(way, await measure(rig, options));
}

await main();
