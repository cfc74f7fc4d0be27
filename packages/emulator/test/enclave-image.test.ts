import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { cp, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { customTrustAnchor, verifyAttestationDocument } from '@nitro-enclaves/attestation';
import { decodeHex } from '@nitro-enclaves/core';
import type { BuildEifOptions, BuiltEif } from '@nitro-enclaves/eif';
import { buildEif } from '@nitro-enclaves/eif';
import type { Emulator } from '@nitro-enclaves/emulator';
import { createLauncher, startEmulator } from '@nitro-enclaves/emulator';
import { VMADDR_CID_PARENT } from '@nitro-enclaves/vsock';
import { build as bundle } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readImageProgram } from '../src/hypervisor/image-program.ts';
import { APPLICATION, ask, NONCE } from './application.ts';

/** Copies an executable with the libraries that it is linked with; each keeps its path. */
async function copyExecutable(path: string, root: string, target: string): Promise<void> {
  const listed = execFileSync('ldd', [path], { encoding: 'utf8' }).matchAll(/(\/\S+)(?= \(0x)/g);
  const files: [string, string][] = [[path, target], ...[...listed].map(([file]): [string, string] => [file, file])];
  for (const [from, to] of files) {
    await mkdir(join(root, dirname(to)), { recursive: true });
    await cp(await realpath(from), join(root, to));
  }
}

/** A root file system with nothing but a shell. */
async function createSmallRoot(root: string): Promise<string> {
  await copyExecutable('/bin/sh', root, '/bin/sh');
  return root;
}

/** A root file system with Node and an application in one file. */
async function createNodeRoot(root: string): Promise<string> {
  await createSmallRoot(root);
  await copyExecutable(process.execPath, root, '/usr/bin/node');
  await bundle({
    entryPoints: [APPLICATION],
    outfile: join(root, 'app/application.mjs'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    external: ['@aws-sdk/*', '@nitro-enclaves/kms', 'cbor-extract'],
    logLevel: 'error',
  });
  return root;
}

describe.skipIf(!existsSync('/usr/bin/ldd'))('an image under the emulator (needs ldd, of libc-bin)', () => {
  let folder: string;
  let smallRoot: string;
  let emulator: Emulator;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ne-'));
    smallRoot = await createSmallRoot(join(folder, 'small'));
    await writeFile(join(folder, 'bzImage'), 'not a kernel: the emulator boots none');
    await writeFile(join(folder, 'init'), '#!/bin/sh\n');
    emulator = await startEmulator({ seed: 'image', kms: false });
  });
  afterAll(async () => {
    await emulator.close();
    await rm(folder, { recursive: true });
  });

  function buildImage(options: Partial<BuildEifOptions>): Promise<BuiltEif> {
    return buildEif({
      output: join(folder, `${expect.getState().currentTestName?.replace(/\W+/g, '-')}.eif`),
      rootfs: smallRoot,
      kernel: join(folder, 'bzImage'),
      cmdline: 'console=ttyS0',
      architecture: process.arch === 'arm64' ? 'aarch64' : 'x86_64',
      ...options,
    });
  }

  it('runs what it says, measured from its file, in a root and with an environment of its own', {
    timeout: 120_000,
  }, async (context) => {
    if (!emulator.isolation.namespaces)
      context.skip('needs user namespaces (sysctl kernel.unprivileged_userns_clone=1)');
    const { path, pcrs } = await buildImage({
      rootfs: await createNodeRoot(join(folder, 'large')),
      entrypoint: ['/usr/bin/node'],
      cmd: ['application.mjs'],
      env: ['GREETING=hello'],
      workingDirectory: '/app',
    });
    const enclave = await emulator.runEnclave({ eif: path, memoryMiB: 2048 });
    expect(enclave.describe().Measurements).toMatchObject(pcrs);
    const { document } = await ask(emulator, enclave, { ask: 'document', nonce: NONCE });
    const verified = await verifyAttestationDocument(decodeHex(document), {
      images: [{ pcrs: { 0: pcrs.PCR0, 1: pcrs.PCR1, 2: pcrs.PCR2 } }],
      freshness: { nonce: decodeHex(NONCE) },
      [customTrustAnchor]: emulator.rootCertificate,
    });
    expect(verified.moduleId).toBe(enclave.enclaveId);
    const { environment } = await ask(emulator, enclave, { ask: 'environment' });
    expect(environment).toMatchObject({ GREETING: 'hello', HOME: '/' });
    expect(Object.keys(environment).sort()).toEqual(['GREETING', 'HOME', 'NITRO_ENCLAVES_EMULATOR', 'PATH']);
    const files = await ask(emulator, enclave, { ask: 'files' });
    expect(files).toMatchObject({ directory: '/app', temporary: true });
    expect(files.root.sort()).toEqual(expect.arrayContaining(['app', 'bin', 'dev', 'proc', 'tmp', 'usr']));
    for (const name of ['home', 'root', 'opt']) expect(files.root).not.toContain(name);
    await enclave.terminate();
    expect(readdirSync(emulator.folder)).toEqual(['emulator.json', 'vsock']);
  });

  it("of nitro-cli's layout runs too, and reports on its console", async (context) => {
    if (!emulator.isolation.namespaces)
      context.skip('needs user namespaces (sysctl kernel.unprivileged_userns_clone=1)');
    const { path } = await buildImage({
      init: { path: join(folder, 'init') },
      cmd: ['sh', '-c', 'echo "$GREETING from $0 in $(pwd)"; exit 7', 'somebody'],
      env: ['GREETING=good day'],
    });
    const enclave = await emulator.runEnclave({ eif: path, memoryMiB: 2048, debugMode: true });
    const text = (await enclave.console().setEncoding('utf8').toArray()).join('');
    expect(text).toBe('good day from somebody in /\n');
    expect(await enclave.exited).toEqual({ exitCode: 7, signal: null, terminated: false });
  });

  it('tells its parent how it ended, when the image names a port for that', async (context) => {
    if (!emulator.isolation.namespaces)
      context.skip('needs user namespaces (sysctl kernel.unprivileged_userns_clone=1)');
    const { path } = await buildImage({ cmd: ['/bin/sh', '-c', 'exit 9'], exitStatusPort: 9010 });
    const reports: string[] = [];
    const server = emulator.transport.createServer({}, (socket) => {
      socket.setEncoding('utf8').on('data', (text: string) => reports.push(`${socket.remoteCid} ${text.trim()}`));
    });
    await server.listen({ port: 9010, cid: VMADDR_CID_PARENT });
    const enclave = await emulator.runEnclave({ eif: path, memoryMiB: 2048, enclaveCid: 33 });
    await enclave.exited;
    expect(reports).toEqual(['33 {"exitCode":9}']);
    await server.drain();
  });

  it("is launched by nitro-cli's options and in its shapes", async (context) => {
    if (!emulator.isolation.namespaces)
      context.skip('needs user namespaces (sysctl kernel.unprivileged_userns_clone=1)');
    const launcher = createLauncher(emulator);
    const { path } = await buildImage({ cmd: ['/bin/sh', '-c', 'echo launched'] });
    const options = { eifPath: path, memoryMiB: 128, cpuCount: 1, enclaveName: 'launched', debugMode: true };
    const { EnclaveID } = await launcher.runEnclave(options);
    const [described] = await launcher.describeEnclaves();
    expect(described).toMatchObject({ EnclaveID, EnclaveName: 'launched' });
    expect(described).not.toHaveProperty('ImageName');
    expect((await launcher.console(EnclaveID).setEncoding('utf8').toArray()).join('')).toBe('launched\n');
    await expect(launcher.terminateEnclave('nobody')).rejects.toMatchObject({ code: 'EMULATOR_ENCLAVE_UNKNOWN' });
  });

  it('says of itself what its metadata say, when asked', async (context) => {
    if (!emulator.isolation.namespaces)
      context.skip('needs user namespaces (sysctl kernel.unprivileged_userns_clone=1)');
    const { path } = await buildImage({ cmd: ['/bin/sh', '-c', 'while :; do read line || exit; done'], name: 'named' });
    const enclave = await emulator.runEnclave({ eif: path, memoryMiB: 128 });
    expect(enclave.describe({ metadata: true })).toMatchObject({
      ImageName: 'named',
      ImageVersion: expect.any(String),
      Metadata: expect.objectContaining({ BuildTool: expect.any(String) }),
    });
    await enclave.exited;
  });

  it('is refused with less than four times its size of memory, and when it is no image', async () => {
    await writeFile(join(smallRoot, 'ballast'), new Uint8Array(17 << 20));
    const { path } = await buildImage({ cmd: ['/bin/sh'] });
    await rm(join(smallRoot, 'ballast'));
    await expect(emulator.runEnclave({ eif: path, memoryMiB: 64 })).rejects.toMatchObject({ code: 'EMULATOR_MEMORY' });
    const none = emulator.runEnclave({ eif: join(folder, 'bzImage') });
    await expect(none).rejects.toMatchObject({ name: 'EifError' });
    expect(readdirSync(emulator.folder)).toEqual(['emulator.json', 'vsock']);
  });

  it.each([
    ['that is a link out of it', (root: string) => symlink('/', join(root, 'rootfs'))],
    ['that is not there', async () => undefined],
  ])('is refused with a root %s', async (_, make) => {
    const initramfs = await mkdtemp(join(folder, 'root-'));
    await make(initramfs);
    await writeFile(join(initramfs, 'cmd'), '/bin/sh\n');
    await expect(readImageProgram(initramfs)).rejects.toMatchObject({ code: 'EMULATOR_IMAGE' });
  });

  it.each([
    ['a port that is none', 'exec=/bin/sh\0exit-status-port=none\0'],
    ['a port out of range', 'exec=/bin/sh\0exit-status-port=4294967295\0'],
    ['a record without a value', 'exec=/bin/sh\0workdir\0'],
  ])('is refused with %s in its settings', async (_, settings) => {
    const initramfs = await mkdtemp(join(folder, 'root-'));
    await mkdir(join(initramfs, 'rootfs'));
    await writeFile(join(initramfs, 'app.conf'), settings);
    await expect(readImageProgram(initramfs)).rejects.toMatchObject({ code: 'EMULATOR_IMAGE' });
  });

  it('leaves out variables without a value, as putenv does, which would be run otherwise', async () => {
    const initramfs = await mkdtemp(join(folder, 'root-'));
    await mkdir(join(initramfs, 'rootfs'));
    await writeFile(join(initramfs, 'cmd'), '/bin/sh\n');
    await writeFile(join(initramfs, 'env'), 'A=b\nreboot\n');
    const { environment } = await readImageProgram(initramfs);
    expect(environment).toEqual(['A=b', expect.stringMatching(/^PATH=/)]);
  });

  it('is refused when it would have us mount over something else', async (context) => {
    if (!emulator.isolation.namespaces)
      context.skip('needs user namespaces (sysctl kernel.unprivileged_userns_clone=1)');
    const rootfs = await createSmallRoot(join(folder, 'links'));
    await symlink('/etc', join(rootfs, 'run'));
    const { path } = await buildImage({ rootfs, cmd: ['/bin/sh'] });
    const run = emulator.runEnclave({ eif: path, memoryMiB: 128 });
    await expect(run).rejects.toMatchObject({ code: 'EMULATOR_IMAGE' });
    expect(readdirSync(emulator.folder)).toEqual(['emulator.json', 'vsock']);
  });

  it('is refused where there are no namespaces to give it a root of its own', async () => {
    await using without = await startEmulator({ kms: false, namespaces: false });
    const { path } = await buildImage({ cmd: ['/bin/sh'] });
    const run = without.runEnclave({ eif: path, memoryMiB: 2048 });
    await expect(run).rejects.toMatchObject({ code: 'EMULATOR_NAMESPACES' });
    expect(readdirSync(without.folder)).toEqual(['emulator.json', 'vsock']);
  });
});
