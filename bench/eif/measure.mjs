// Measuring an image of 1 GiB beside one SHA-384 of the same cached file by openssl. Two hashes cover most of an image
// (PCR0 and PCR2), and a CRC all of it: the second core has to carry what the floor does not do at all.
import { execFile } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { EifWriter } from '@nitro-enclaves/eif';
import { describeMachine, median, printClaim } from '../side-by-side.mjs';

const run = promisify(execFile);
const MIB = 1024 * 1024;
const ROUNDS = 7;

const METADATA = {
  ImageName: 'bench',
  ImageVersion: '1.0',
  BuildMetadata: {
    BuildTime: '2026-01-01T00:00:00+00:00',
    BuildTool: 'bench',
    BuildToolVersion: '1.0',
    OperatingSystem: 'Linux',
    KernelVersion: '6.6.79',
  },
  DockerInfo: null,
  CustomMetadata: null,
};

function* randomMebibytes(count) {
  const piece = new Uint8Array(MIB);
  for (let index = 0; index < count; index += 1) yield randomFillSync(piece);
}

/** An image of the usual proportions: nearly everything is the application's ramdisk. */
async function writeImage(path, mebibytes) {
  const writer = await EifWriter.create(path, { architecture: 'x86_64' });
  try {
    await writer.section('kernel', randomMebibytes(10));
    await writer.section('cmdline', new TextEncoder().encode('reboot=k panic=30'));
    await writer.section('metadata', new TextEncoder().encode(JSON.stringify(METADATA)));
    await writer.section('ramdisk', randomMebibytes(2));
    await writer.section('ramdisk', randomMebibytes(mebibytes - 12));
    await writer.finish();
  } finally {
    await writer[Symbol.asyncDispose]();
  }
}

// In a process of its own each time, so that the memory is that of a measurement and of nothing else.
const MEASUREMENT = `
import { measureEif } from ${JSON.stringify(import.meta.resolve('@nitro-enclaves/eif'))};
const start = performance.now();
await measureEif(process.argv[1]);
const time = performance.now() - start;
console.log(JSON.stringify({ time, memory: process.resourceUsage().maxRSS / 1024 }));
`;

async function measure(path) {
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', MEASUREMENT, path]);
  return JSON.parse(stdout);
}

async function hash(path) {
  const start = performance.now();
  await run('openssl', ['dgst', '-sha384', path]);
  return { time: performance.now() - start };
}

/** Both in turn, the one first that was second before. */
async function race(path, rounds) {
  const results = { ours: [], openssl: [] };
  for (let round = 0; round < rounds; round += 1) {
    const turns = [
      ['ours', measure],
      ['openssl', hash],
    ];
    for (const [name, work] of round % 2 === 0 ? turns : turns.reverse()) results[name].push(await work(path));
  }
  return results;
}

const folder = await mkdtemp(join(tmpdir(), 'bench-eif-'));
try {
  console.log(describeMachine());
  const path = join(folder, 'image.eif');
  await writeImage(path, 1024);
  await race(path, 1);
  const { ours, openssl } = await race(path, ROUNDS);
  const [time, floor] = [ours, openssl].map((results) => median(results.map((result) => result.time)));
  console.log(`measureEif, 1 GiB           ${time.toFixed(0).padStart(6)} ms`);
  console.log(`floor: openssl dgst -sha384 ${floor.toFixed(0).padStart(6)} ms`);
  printClaim('time to measure 1 GiB beside one openssl dgst -sha384', { ratio: time / floor, atMost: 1.15 });
  await writeImage(path, 2048);
  const memory = Math.max(...ours.map((result) => result.memory), (await measure(path)).memory);
  printClaim('MiB of memory to measure 1 GiB and 2 GiB, at most', { ratio: memory, atMost: 100 });
} finally {
  await rm(folder, { recursive: true });
}
