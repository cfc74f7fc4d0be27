import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { transportConformance } from '../../vsock/src/conformance/index.ts';
import { CHECKS } from './checks.ts';
import { runProgram } from './program.ts';

export const packageFolder: string = fileURLToPath(new URL('..', import.meta.url));
export const rootFolder: string = join(packageFolder, '../..');

/** What every build of the addon must do, on every processor: the checks of it, and the contract of transports over it. */
export const CHECK_NAMES: readonly string[] = [...CHECKS, ...transportConformance].map(({ name }) => name);

/** What came of a run. */
export interface Outcome {
  /** By check: `undefined` if it holds, otherwise how it failed. */
  readonly failures: ReadonlyMap<string, string | undefined>;
  readonly exitCode: number | null;
  readonly stderr: string;
}

/** Bundles the checks into one script, beside a copy of the builds that it is to load. */
export async function prepareChecks(prebuilds: string): Promise<{ script: string; cleanUp: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'native-checks-'));
  await mkdir(join(folder, 'dist'));
  await cp(prebuilds, join(folder, 'prebuilds'), { recursive: true });
  const script = join(folder, 'dist/run-checks.mjs');
  const packages = join(packageFolder, '..');
  await build({
    entryPoints: [join(packageFolder, 'test/run-checks.ts')],
    outfile: script,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'error',
    alias: {
      '@nitro-enclaves/native/relay': join(packages, 'native/src/relay.ts'),
      '@nitro-enclaves/native': join(packages, 'native/src/index.ts'),
      '@nitro-enclaves/vsock': join(packages, 'vsock/src/index.ts'),
    },
  });
  return { script, cleanUp: () => rm(folder, { recursive: true, force: true }) };
}

/** Runs a command that ends in the script of the checks. */
export async function runChecks(command: readonly string[], env: Record<string, string> = {}): Promise<Outcome> {
  const { exitCode, stdout, stderr } = await runProgram(command, env);
  const lines = stdout.split('\n').filter((line) => line.startsWith('{'));
  return {
    failures: new Map(lines.map((line) => JSON.parse(line)).map((of) => [of.name, of.failure])),
    exitCode,
    stderr,
  };
}
