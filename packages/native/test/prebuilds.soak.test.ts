import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { installDebianPackages } from '../../../tools/debian-packages.mjs';
import { packageFolder, rootFolder } from './platform.ts';
import { runProgram } from './program.ts';

/** The compilers that the committed builds were made by. Others may make other bytes of the same sources. */
const COMPILERS = {
  'linux-x64': ['x86_64-linux-gnu-gcc', 'x86_64-linux-gnu-gcc (Debian 12.2.0-14+deb12u1) 12.2.0'],
  'linux-arm64': ['aarch64-linux-gnu-gcc', 'aarch64-linux-gnu-gcc (Debian 12.2.0-14) 12.2.0'],
} as const;
const PROCESSORS = ['linux-x64', 'linux-arm64'] as const;
const LOADED_WITH_NODE = ['malloc', 'free', 'memcpy', 'memset', 'pthread_create', 'pthread_detach', 'pthread_join'];

function committed(processor: string): string {
  return join(packageFolder, 'prebuilds', processor, 'nitro-enclaves.node');
}

async function sha256(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
}

describe.runIf(process.platform === 'linux')('the committed builds', () => {
  let missing: string | undefined;
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'prebuilds-'));
    missing = await installDebianPackages(
      'gcc',
      'libc6-dev',
      'gcc-aarch64-linux-gnu',
      'libc6-dev-arm64-cross',
      'musl-tools',
    );
  }, 600_000);
  afterAll(() => rm(folder, { recursive: true, force: true }));
  beforeEach(({ skip }) => skip(missing !== undefined, `needs compilers: ${missing}`));

  it('are what pnpm build:native makes of the sources, byte for byte', async ({ skip }) => {
    for (const [compiler, pinned] of Object.values(COMPILERS)) {
      const { stdout } = await runProgram([compiler, '--version']);
      const found = stdout.split('\n')[0];
      skip(found !== pinned, `comparable only when made by ${pinned}, found ${found}`);
    }
    const made = await runProgram([process.execPath, join(rootFolder, 'tools/build-native.mjs'), '--out', folder]);
    expect(made.exitCode, made.stderr).toBe(0);
    for (const processor of PROCESSORS) {
      const path = join(folder, processor, 'nitro-enclaves.node');
      expect(await sha256(path), processor).toBe(await sha256(committed(processor)));
    }
  }, 120_000);

  it.each(PROCESSORS)('need no C library of any version: %s', async (processor) => {
    const { stdout } = await runProgram(['readelf', '--version-info', '--dynamic', '--wide', committed(processor)]);
    expect(stdout).toContain('No version information found in this file.');
    expect(stdout).not.toContain('(NEEDED)');
    expect(stdout).toContain('NODELETE');
    expect(stdout).toContain('BIND_NOW');
    expect(stdout).not.toContain('TEXTREL');
  });

  it.each(PROCESSORS)('take nothing but Node-API and a handful of unversioned names: %s', async (processor) => {
    const { stdout } = await runProgram(['readelf', '--dyn-syms', '--wide', committed(processor)]);
    const wanted = [...stdout.matchAll(/ UND (\S+)/g)].map(([, name]) => name ?? '');
    expect(wanted).toContain('napi_create_threadsafe_function');
    expect(wanted.filter((name) => !name.startsWith('napi_') && !LOADED_WITH_NODE.includes(name))).toEqual([]);
  });

  it.each(PROCESSORS)('have a stack that is never executed: %s', async (processor) => {
    const { stdout } = await runProgram(['readelf', '--program-headers', '--wide', committed(processor)]);
    expect(stdout).toMatch(/GNU_STACK .* RW /);
    expect(stdout).not.toMatch(/LOAD .* RWE /);
    expect(stdout).toContain('GNU_RELRO');
  });

  it.runIf(process.arch === 'x64')('run on musl: connections, threads and the NSM ioctl', async () => {
    const { include_dir: headers } = createRequire(import.meta.url)('node-api-headers');
    const host = join(folder, 'musl-host');
    const source = join(packageFolder, 'test/musl-host.c');
    const compiled = await runProgram([
      'musl-gcc',
      '-DNAPI_VERSION=8',
      '-rdynamic',
      '-isystem',
      headers,
      '-o',
      host,
      source,
    ]);
    expect(compiled.exitCode, compiled.stderr).toBe(0);
    expect((await runProgram(['readelf', '--program-headers', host])).stdout).toContain('ld-musl');
    const { exitCode, stdout } = await runProgram([host, committed('linux-x64')]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'ok\n' });
  });
});
