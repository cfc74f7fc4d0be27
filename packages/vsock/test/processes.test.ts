import { randomUUID } from 'node:crypto';
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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
    async function run(name: string): Promise<string> {
      const place = kind === 'unix' ? await mkdtemp(join(folder, 's')) : randomUUID();
      const { exitCode, stdout, stderr } = await runProgram([process.execPath, script, name, kind, place]);
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
  },
);
