// From the shell to the first line of `nitro-enclaves emulator up`, which says that parent, KMS and hypervisor are there;
// beside a Node that does nothing.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeMachine, median, printClaim } from '../side-by-side.mjs';

const MAIN = fileURLToPath(new URL('../../packages/cli/dist/main.js', import.meta.url));
const ROUNDS = 15;

/** Time from the start of `node …` to its first output, in ms; then it is ended, which does not count. */
async function timeToFirstOutput(args) {
  const begun = performance.now();
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const exited = once(child, 'exit');
  await once(child.stdout, 'data');
  const time = performance.now() - begun;
  child.kill('SIGTERM');
  await exited;
  return time;
}

const folder = await mkdtemp(join(tmpdir(), 'bench-up-'));
try {
  console.log(describeMachine());
  const [floor, up] = [[], []];
  for (let round = 0; round <= ROUNDS; round += 1) {
    const times = [
      await timeToFirstOutput(['-e', 'console.log()']),
      await timeToFirstOutput([MAIN, 'emulator', 'up', '--folder', join(folder, 'emulator')]),
    ];
    // The first round warms up the file system's cache.
    if (round === 0) continue;
    floor.push(times[0]);
    up.push(times[1]);
  }
  console.log(`floor: a node that prints a line   ${median(floor).toFixed(0).padStart(5)} ms`);
  console.log(`nitro-enclaves emulator up         ${median(up).toFixed(0).padStart(5)} ms`);
  printClaim('seconds until the emulator is up', { ratio: median(up) / 1000, atMost: 1 });
  printClaim('seconds until it is up, the slowest of all', { ratio: Math.max(...up) / 1000, atMost: 1 });
} finally {
  await rm(folder, { recursive: true, force: true });
}
