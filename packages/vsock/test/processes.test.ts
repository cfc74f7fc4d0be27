import { randomUUID } from 'node:crypto';
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installDebianPackages } from '../../../tools/debian-packages.mjs';
import { runProgram } from '../../native/test/program.ts';

const packages = fileURLToPath(new URL('../..', import.meta.url));
let folder = '';
let script = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vsock-'));
  await mkdir(join(folder, 'dist'));
  await cp(join(packages, 'native/prebuilds'), join(folder, 'prebuilds'), { recursive: true });
  script = join(folder, 'dist/scenario.mjs');
  await build({
    entryPoints: [join(packages, 'vsock/test/scenario.ts')],
    outfile: script,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'error',
    alias: {
      '@nitro-enclaves/native': join(packages, 'native/src/index.ts'),
      '@nitro-enclaves/vsock': join(packages, 'vsock/src/index.ts'),
    },
  });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe.each(process.platform === 'linux' ? ['unix', 'native'] : ['unix'])(
  'a process with a transport: %s',
  (kind) => {
    async function start(name: string, env: Record<string, string> = {}): ReturnType<typeof runProgram> {
      const place = kind === 'unix' ? await mkdtemp(join(folder, 's')) : randomUUID();
      return runProgram([process.execPath, script, name, kind, place], env);
    }

    async function run(name: string): Promise<string> {
      const { exitCode, stdout, stderr } = await start(name);
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
      return stdout.trim();
    }

    it('lives while a server listens, and ends when it has closed', async () => {
      expect(await run('listening server')).toBe('alive');
    });

    it('ends while a server listens that is without a reference', async () => {
      expect(await run('server without ref')).toBe('');
      expect(await run('server without ref before it listens')).toBe('');
    });

    it('lives again for a server that is referenced again', async () => {
      expect(await run('server with ref again')).toBe('alive');
    });

    it('lives while a connection is open, unless that is without a reference', async () => {
      expect(await run('open connection')).toBe('alive');
      expect(await run('connection without ref')).toBe('');
    });

    it('connects and listens on worker threads, each for itself', async () => {
      expect(await run('worker threads')).toBe('worker 1, worker 2, worker 3, to the worker');
    });

    it('listens in the workers of a cluster, where a port belongs to one of them', async () => {
      expect(await run('cluster')).toBe('to a worker, to a worker, EADDRINUSE');
    });

    it('survives having no descriptor left, and serves on when there are some again', async () => {
      const place = kind === 'unix' ? await mkdtemp(join(folder, 's')) : randomUUID();
      const limited = ['sh', '-c', 'ulimit -n 64 && exec "$@"', 'sh', process.execPath, script];
      const { exitCode, stdout, stderr } = await runProgram([...limited, 'out of descriptors', kind, place]);
      expect({ exitCode, stderr, stdout }).toEqual({ exitCode: 0, stderr: '', stdout: 'true true alive\n' });
    });

    it.runIf(process.platform === 'linux')(
      'writes again what the kernel had no buffer for (ENOBUFS)',
      async ({ skip }) => {
        const missing = await installDebianPackages('gcc', 'libc6-dev');
        skip(missing !== undefined, `needs gcc to make a kernel that refuses: ${missing}`);
        const library = join(folder, `enobufs-${kind}.so`);
        const source = join(packages, 'vsock/test/enobufs.c');
        const compiled = await runProgram(['gcc', '-shared', '-fPIC', '-O1', '-o', library, source]);
        expect(compiled.exitCode, compiled.stderr).toBe(0);
        const { exitCode, stdout, stderr } = await start('many writes', { LD_PRELOAD: library });
        expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'whole\n' });
        expect(Number(/(\d+) writes failed/.exec(stderr)?.[1])).toBeGreaterThan(100);
      },
      300_000,
    );
  },
);
