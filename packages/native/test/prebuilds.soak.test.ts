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

/** Every binary of the package, as its path from a folder of builds. */
const BUILDS = PROCESSORS.flatMap((processor) =>
  ['nitro-enclaves.node', 'nitro-enclaves-relay.node'].map((file) => join(processor, file)),
);

function committed(build: string): string {
  return join(packageFolder, 'prebuilds', build);
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
    for (const build of BUILDS) expect(await sha256(join(folder, build)), build).toBe(await sha256(committed(build)));
  }, 120_000);

  it.each(BUILDS)('need no C library of any version: %s', async (build) => {
    const { stdout } = await runProgram(['readelf', '--version-info', '--dynamic', '--wide', committed(build)]);
    expect(stdout).toContain('No version information found in this file.');
    expect(stdout).not.toContain('(NEEDED)');
    expect(stdout).toContain('NODELETE');
    expect(stdout).toContain('BIND_NOW');
    expect(stdout).not.toContain('TEXTREL');
  });

  it.each(BUILDS)('take nothing but Node-API and a handful of unversioned names: %s', async (build) => {
    const { stdout } = await runProgram(['readelf', '--dyn-syms', '--wide', committed(build)]);
    const wanted = [...stdout.matchAll(/ UND (\S+)/g)].map(([, name]) => name ?? '');
    expect(wanted).toContain('napi_create_threadsafe_function');
    expect(wanted.filter((name) => !name.startsWith('napi_') && !LOADED_WITH_NODE.includes(name))).toEqual([]);
  });

  it.each(PROCESSORS)('keep the relay out of what enclaves load: %s', async (processor) => {
    const marks = ['vsock-epoll', 'relay-epoll'];
    const found = async (file: string) => {
      const content = await readFile(committed(join(processor, file)), 'latin1');
      return marks.filter((mark) => content.includes(mark));
    };
    expect(await found('nitro-enclaves.node')).toEqual(['vsock-epoll']);
    expect(await found('nitro-enclaves-relay.node')).toEqual(['relay-epoll']);
  });

  it.each(BUILDS)('have a stack that is never executed: %s', async (build) => {
    const { stdout } = await runProgram(['readelf', '--program-headers', '--wide', committed(build)]);
    expect(stdout).toMatch(/GNU_STACK .* RW /);
    expect(stdout).not.toMatch(/LOAD .* RWE /);
    expect(stdout).toContain('GNU_RELRO');
  });

  it('relay what the kernel has no buffer for (ENOBUFS) when it has one', async () => {
    const program = join(folder, 'relay-enobufs');
    const source = join(packageFolder, 'test/relay-enobufs.c');
    const compiled = await runProgram(['gcc', '-O1', '-o', program, source]);
    expect(compiled.exitCode, compiled.stderr).toBe(0);
    const { exitCode, stdout } = await runProgram([program]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'closed, whole, refused often\n' });
  });

  it.runIf(process.arch === 'x64')('run on musl: connections, threads, the NSM ioctl and the relay', async () => {
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
    for (const build of BUILDS.filter((name) => name.startsWith('linux-x64'))) {
      const { exitCode, stdout } = await runProgram([host, committed(build)]);
      expect({ build, exitCode, stdout }).toEqual({ build, exitCode: 0, stdout: 'ok\n' });
    }
  });
});
