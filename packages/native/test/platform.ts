import { spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** A Node with an addon to be checked. */
export interface Platform {
  /** The command that runs a script: node itself, with what has to stand before it. */
  readonly command: readonly string[];
  /** Folder with `linux-x64` and `linux-arm64`. */
  readonly prebuilds: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** What came of a run. */
export interface Outcome {
  /** By check: `undefined` if it holds, otherwise how it failed. */
  readonly failures: ReadonlyMap<string, string | undefined>;
  readonly exitCode: number | null;
  readonly stderr: string;
}

export const packageFolder: string = fileURLToPath(new URL('..', import.meta.url));

/** Runs all checks on a platform, in a process of their own. */
export async function runChecks({ command, prebuilds, env = {} }: Platform): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), 'native-checks-'));
  await mkdir(join(folder, 'dist'));
  await cp(prebuilds, join(folder, 'prebuilds'), { recursive: true });
  const script = join(folder, 'dist/run-checks.mjs');
  const sources = (path: string): string => join(packageFolder, '..', path);
  await build({
    entryPoints: [join(packageFolder, 'test/run-checks.ts')],
    outfile: script,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'error',
    alias: {
      '@nitro-enclaves/native': sources('native/src/index.ts'),
      '@nitro-enclaves/vsock/conformance': sources('vsock/src/conformance/index.ts'),
      '@nitro-enclaves/vsock': sources('vsock/src/index.ts'),
    },
  });
  const [program = process.execPath, ...before] = command;
  return collect(program, [...before, script], env);
}

function collect(program: string, args: readonly string[], env: Readonly<Record<string, string>>): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    child.once('error', reject);
    child.once('close', (exitCode) => {
      const lines = stdout.split('\n').filter((line) => line.startsWith('{'));
      const failures = new Map(lines.map((line) => JSON.parse(line)).map(({ name, failure }) => [name, failure]));
      resolve({ failures, exitCode, stderr });
    });
  });
}
