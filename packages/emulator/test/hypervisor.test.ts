import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { AttestationPolicy } from '@nitro-enclaves/attestation';
import { allowAnyAge, customTrustAnchor, verifyAttestationDocument } from '@nitro-enclaves/attestation';
import { decodeHex } from '@nitro-enclaves/core';
import type { EmulatedEnclave, Emulator, RunCommandOptions } from '@nitro-enclaves/emulator';
import { startEmulator } from '@nitro-enclaves/emulator';
import { VMADDR_CID_PARENT } from '@nitro-enclaves/vsock';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { APPLICATION, application, ask, NONCE } from './application.ts';

function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
}

describe('an emulator with one enclave', () => {
  let emulator: Emulator;
  let enclave: EmulatedEnclave;

  beforeAll(async () => {
    emulator = await startEmulator({ seed: 'one', roleArn: 'arn:aws:iam::123456789012:role/Webserver' });
    enclave = await emulator.runEnclave(
      application({ memoryMiB: 256, cpuCount: 2, environment: { GREETING: 'hello' } }),
    );
  });
  afterAll(() => emulator.close());

  it('gives it documents of its own measurements, which verify by the root of the emulator', async () => {
    const { document } = await ask(emulator, enclave, { ask: 'document', nonce: NONCE });
    const { PCR0, PCR1, PCR2 } = enclave.describe().Measurements;
    const policy: AttestationPolicy = {
      images: [{ pcrs: { 0: PCR0, 1: PCR1, 2: PCR2 } }],
      instanceId: emulator.instanceId,
      roleArn: 'arn:aws:iam::123456789012:role/Webserver',
      freshness: { nonce: decodeHex(NONCE) },
      [customTrustAnchor]: emulator.rootCertificate,
    };
    await expect(verifyAttestationDocument(decodeHex(document), policy)).resolves.toMatchObject({
      moduleId: enclave.enclaveId,
      debugMode: false,
    });
  });

  it('gives it the environment that was asked for, the one variable of the emulator, and nothing else', async () => {
    const { environment } = await ask(emulator, enclave, { ask: 'environment' });
    expect(environment).toEqual({ GREETING: 'hello', NITRO_ENCLAVES_EMULATOR: expect.any(String) });
  });

  it('tells it its own CID and module id', async () => {
    expect(await ask(emulator, enclave, { ask: 'who' })).toMatchObject({
      cid: enclave.cid,
      moduleId: enclave.enclaveId,
    });
  });

  it('lets it reach its parent, and no other enclave', async () => {
    const server = emulator.transport.createServer({}, (socket) => socket.end(`hello ${socket.remoteCid}`));
    await server.listen({ port: 9001 });
    const reach = (cid: number) => ask(emulator, enclave, { ask: 'connect', cid, port: 9001 });
    expect(await reach(VMADDR_CID_PARENT)).toEqual({ heard: `hello ${enclave.cid}` });
    expect(await reach(77)).toEqual({ code: 'ENODEV' });
    await server.drain();
  });

  it('keeps it from the network of this machine where the kernel allows that', async () => {
    const server = createServer((socket) => socket.end());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const { reached } = await ask(emulator, enclave, { ask: 'reach', host: '127.0.0.1', port });
    expect(reached).toBe(!emulator.isolation.namespaces);
    server.close();
  });

  it("describes it in nitro-cli's shape", () => {
    expect(emulator.describeEnclaves()).toEqual([
      {
        EnclaveName: 'node',
        EnclaveID: expect.stringMatching(/^i-[0-9a-f]{17}-enc[0-9a-f]{16}$/),
        ProcessID: enclave.processId,
        EnclaveCID: 16,
        NumberOfCPUs: 2,
        CPUIDs: [1, 2],
        MemoryMiB: 256,
        State: 'RUNNING',
        Flags: 'NONE',
        Measurements: {
          HashAlgorithm: 'Sha384 { ... }',
          PCR0: expect.stringMatching(/^[0-9a-f]{96}$/),
          PCR1: expect.stringMatching(/^[0-9a-f]{96}$/),
          PCR2: expect.stringMatching(/^[0-9a-f]{96}$/),
        },
      },
    ]);
    const { State, Flags, Measurements, ...run } = enclave.describe();
    expect(JSON.parse(JSON.stringify(enclave))).toEqual(run);
  });

  it('shows nobody its console, as it is not in debug mode', () => {
    expect(() => emulator.console(enclave.enclaveId)).toThrow(expect.objectContaining({ code: 'EMULATOR_CONSOLE' }));
  });
});

describe('an emulator', () => {
  let emulator: Emulator;
  beforeEach(async () => {
    emulator = await startEmulator({ seed: 'several', kms: false });
  });
  afterEach(() => emulator.close());

  it('runs several enclaves at once, each with its own CID, module and registers', async () => {
    const enclaves = await Promise.all([1, 2, 3, 4].map(() => emulator.runEnclave(application())));
    const who = await Promise.all(enclaves.map((enclave) => ask(emulator, enclave, { ask: 'who' })));
    expect(who.map(({ cid }) => cid)).toEqual([16, 17, 18, 19]);
    expect(new Set(who.map(({ moduleId }) => moduleId)).size).toBe(4);
    expect(enclaves.map(({ name }) => name)).toEqual(['node', 'node_1', 'node_2', 'node_3']);
    const fifth = emulator.runEnclave(application());
    await expect(fifth).rejects.toMatchObject({ code: 'EMULATOR_ARGUMENT' });
  });

  it('shows the console of an enclave in debug mode, whose image registers are zero', async () => {
    const enclave = await emulator.runEnclave(application({ debugMode: true, enclaveName: 'debug' }));
    const console = emulator.console('debug').setEncoding('utf8');
    let text = '';
    for await (const piece of console) {
      text += piece;
      if (text.includes('standard error') && text.includes('listens')) break;
    }
    expect(text).toContain('the application listens');
    expect(enclave.describe().Flags).toBe('DEBUG_MODE');
    const { document } = await ask(emulator, enclave, { ask: 'document', nonce: NONCE });
    const { PCR0, PCR1, PCR2 } = enclave.describe().Measurements;
    const policy: AttestationPolicy = {
      images: [{ pcrs: { 0: PCR0, 1: PCR1, 2: PCR2 } }],
      [allowAnyAge]: true,
      [customTrustAnchor]: emulator.rootCertificate,
    };
    await expect(verifyAttestationDocument(decodeHex(document), policy)).rejects.toMatchObject({ code: 'DEBUG_MODE' });
  });

  it('says how an application ended, and describes it no longer', async () => {
    const enclave = await emulator.runEnclave(application());
    await ask(emulator, enclave, { ask: 'exit', code: 3 });
    expect(await enclave.exited).toEqual({ exitCode: 3, signal: null, terminated: false });
    expect(emulator.describeEnclaves()).toEqual([]);
  });

  it("terminates an enclave in nitro-cli's shape, with everything that it started", async () => {
    const enclave = await emulator.runEnclave(application({ enclaveName: 'short' }));
    await ask(emulator, enclave, { ask: 'spawn' });
    expect(await emulator.terminateEnclave('short')).toEqual({
      EnclaveName: 'short',
      EnclaveID: enclave.enclaveId,
      Terminated: true,
    });
    expect(await enclave.exited).toMatchObject({ terminated: true, exitCode: null, signal: 'SIGKILL' });
    expect(isAlive(enclave.processId)).toBe(false);
    await expect(async () => emulator.terminateEnclave('short')).rejects.toMatchObject({
      code: 'EMULATOR_ENCLAVE_UNKNOWN',
    });
  });

  it('leaves no process and no file behind when it is closed', async () => {
    const enclaves = await Promise.all([emulator.runEnclave(application()), emulator.runEnclave(application())]);
    await Promise.all(enclaves.map((enclave) => ask(emulator, enclave, { ask: 'who' })));
    await emulator.close();
    expect(existsSync(emulator.folder)).toBe(false);
    for (const { processId } of enclaves) expect(isAlive(processId)).toBe(false);
    await expect(emulator.runEnclave(application())).rejects.toMatchObject({ code: 'EMULATOR_CLOSED' });
  });

  it('ends with all its enclaves when somebody has removed its folder', async () => {
    const enclave = await emulator.runEnclave(application());
    await ask(emulator, enclave, { ask: 'who' });
    await rm(emulator.folder, { recursive: true });
    await emulator.close();
    expect(isAlive(enclave.processId)).toBe(false);
  });

  it('leaves the sockets of a killed enclave to nobody: its CID can be used again', async () => {
    const first = await emulator.runEnclave(application({ enclaveCid: 42 }));
    await ask(emulator, first, { ask: 'who' });
    await first.terminate();
    expect(readdirSync(emulator.folder)).toEqual(['emulator.json', 'vsock']);
    expect(readdirSync(join(emulator.folder, 'vsock'))).toEqual([]);
    const second = await emulator.runEnclave(application({ enclaveCid: 42 }));
    expect(await ask(emulator, second, { ask: 'who' })).toMatchObject({ cid: 42 });
  });

  it('keeps to its faults: an NSM that errs, and a parent that cuts connections', async () => {
    const enclave = await emulator.runEnclave(application());
    await ask(emulator, enclave, { ask: 'who' });
    emulator.faults.set({
      nsm: [{ kind: 'foreign-root' }],
      transport: [{ kind: 'drop', bytes: 2, direction: 'to-parent', times: 1 }],
    });
    await expect(ask(emulator, enclave, { ask: 'who' })).rejects.toThrow();
    const { document } = await ask(emulator, enclave, { ask: 'document', nonce: NONCE });
    const { PCR0, PCR1, PCR2 } = enclave.describe().Measurements;
    const policy: AttestationPolicy = {
      images: [{ pcrs: { 0: PCR0, 1: PCR1, 2: PCR2 } }],
      freshness: { nonce: decodeHex(NONCE) },
      [customTrustAnchor]: emulator.rootCertificate,
    };
    await expect(verifyAttestationDocument(decodeHex(document), policy)).rejects.toMatchObject({
      code: 'TRUST_ANCHOR',
    });
    emulator.faults.clear();
    const healed = await ask(emulator, enclave, { ask: 'document', nonce: NONCE });
    await expect(verifyAttestationDocument(decodeHex(healed.document), policy)).resolves.toBeDefined();
  });

  it.each<[string, Partial<RunCommandOptions>, string]>([
    ['CID 3', { enclaveCid: 3 }, 'EMULATOR_ARGUMENT'],
    ['any CID', { enclaveCid: 0xffff_ffff }, 'EMULATOR_ARGUMENT'],
    ['a CID that is no number', { enclaveCid: 4.5 }, 'EMULATOR_ARGUMENT'],
    ['63 MiB', { memoryMiB: 63 }, 'EMULATOR_ARGUMENT'],
    ['no CPU', { cpuCount: 0 }, 'EMULATOR_ARGUMENT'],
    ['more CPUs than any machine has', { cpuCount: 2 ** 33 }, 'EMULATOR_ARGUMENT'],
    ['more memory than any machine has', { memoryMiB: 2 ** 40 }, 'EMULATOR_ARGUMENT'],
    ['an empty name', { enclaveName: '' }, 'EMULATOR_ARGUMENT'],
    ['no command', { command: [] }, 'EMULATOR_COMMAND'],
    ['a command that is not there', { command: ['no-such-program'] }, 'EMULATOR_COMMAND'],
    ['a folder that is not there', { workingDirectory: '/no/such/folder' }, 'EMULATOR_COMMAND'],
    ['a file to measure that is not there', { files: ['no-such-file'] }, 'EMULATOR_COMMAND'],
  ])('refuses %s, and keeps nothing of it', async (_, options, code) => {
    await expect(emulator.runEnclave(application(options))).rejects.toMatchObject({ code });
    expect(emulator.describeEnclaves()).toEqual([]);
    expect(readdirSync(emulator.folder)).toEqual(['emulator.json', 'vsock']);
  });

  it('refuses a CID and a name that another enclave has', async () => {
    await emulator.runEnclave(application({ enclaveCid: 20, enclaveName: 'taken' }));
    const cid = emulator.runEnclave(application({ enclaveCid: 20 }));
    await expect(cid).rejects.toMatchObject({ code: 'EMULATOR_ARGUMENT' });
    const name = emulator.runEnclave(application({ enclaveName: 'taken' }));
    await expect(name).rejects.toMatchObject({ code: 'EMULATOR_ARGUMENT' });
  });

  it('starts nothing for a signal that has fired', async () => {
    await expect(emulator.runEnclave(application({ signal: AbortSignal.abort() }))).rejects.toThrow('abort');
    expect(emulator.describeEnclaves()).toEqual([]);
  });
});

/** A program that runs an emulator and one enclave, and says the enclave's process id. */
const EMULATING = `
  const { startEmulator } = await import('@nitro-enclaves/emulator');
  const emulator = await startEmulator({ kms: false });
  const { processId } = await emulator.runEnclave({ command: ['sleep', '600'] });
  console.log(JSON.stringify({ processId, folder: emulator.folder }));
`;

async function startEmulating(): Promise<{ program: ChildProcess; processId: number; folder: string }> {
  const program = spawn(process.execPath, ['--input-type=module', '-e', EMULATING], {
    cwd: dirname(APPLICATION),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(program.stdout, 'data');
  return { program, ...JSON.parse(String(line)) };
}

async function untilDead(pid: number): Promise<void> {
  while (isAlive(pid)) await delay(20);
}

describe('a program with an emulator', () => {
  it.skipIf(!existsSync('/usr/bin/setpriv'))(
    'takes its enclaves with it when it is killed (needs setpriv, of util-linux)',
    async () => {
      const { program, processId, folder } = await startEmulating();
      expect(isAlive(processId)).toBe(true);
      program.kill('SIGKILL');
      await untilDead(processId);
      await rm(folder, { recursive: true });
    },
  );

  it('leaves neither enclave nor file behind when it ends without closing the emulator', async () => {
    const { program, processId, folder } = await startEmulating();
    program.kill('SIGINT');
    await once(program, 'exit');
    await untilDead(processId);
    await rm(folder, { recursive: true, force: true });
  });
});

describe('an emulator without namespaces', () => {
  it('says so, runs enclaves all the same, and ends what they started', async () => {
    const warnings: string[] = [];
    await using emulator = await startEmulator({
      kms: false,
      namespaces: false,
      onWarning: (warning) => warnings.push(warning),
    });
    expect(warnings).toEqual([expect.stringContaining("this machine's network")]);
    const server = createServer((socket) => socket.end());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const enclave = await emulator.runEnclave(application());
    const { port } = server.address() as AddressInfo;
    expect(await ask(emulator, enclave, { ask: 'reach', host: '127.0.0.1', port })).toEqual({ reached: true });
    server.close();
    const { pid } = await ask(emulator, enclave, { ask: 'spawn' });
    expect(isAlive(pid)).toBe(true);
    await enclave.terminate();
    expect(isAlive(pid)).toBe(false);
    const environment = await emulator.runEnclave({ command: ['env'], debugMode: true, environment: { A: 'b' } });
    const lines = (await environment.console().setEncoding('utf8').toArray()).join('').trim().split('\n').sort();
    expect(lines).toEqual(['A=b', expect.stringMatching(/^NITRO_ENCLAVES_EMULATOR=/)]);
  });
});

describe('the measurements of a command', () => {
  let folder: string;
  let emulator: Emulator;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ne-'));
    emulator = await startEmulator({ kms: false });
  });
  afterAll(async () => {
    await emulator.close();
    await rm(folder, { recursive: true });
  });

  async function measure(options: Partial<RunCommandOptions> = {}) {
    const enclave = await emulator.runEnclave({ command: ['sh', 'app.sh'], workingDirectory: folder, ...options });
    const { Measurements } = enclave.describe();
    await enclave.terminate();
    return Measurements;
  }

  it('change PCR0 and PCR2, and never PCR1, with all that is measured, and with nothing else', async () => {
    await writeFile(join(folder, 'app.sh'), 'sleep 60');
    const first = await measure();
    expect(await measure({ cpuCount: 3, memoryMiB: 128, enclaveCid: 99, debugMode: true })).toEqual(first);
    await writeFile(join(folder, 'library.txt'), 'one');
    const withLibrary = await measure({ files: ['library.txt'] });
    await writeFile(join(folder, 'library.txt'), 'two');
    const others = [
      withLibrary,
      await measure({ files: ['library.txt'] }),
      await measure({ files: ['.'] }),
      await measure({ command: ['sh', 'app.sh', 'argument'] }),
      await measure({ command: ['sh', '-c', 'sleep 60'] }),
      await measure({ environment: { PATH: '/bin', A: 'b' } }),
    ];
    await writeFile(join(folder, 'app.sh'), 'sleep 61');
    others.push(await measure());
    const all = [first, ...others];
    expect(new Set(all.map(({ PCR0 }) => PCR0)).size).toBe(all.length);
    expect(new Set(all.map(({ PCR2 }) => PCR2)).size).toBe(all.length);
    expect(new Set(all.map(({ PCR1 }) => PCR1)).size).toBe(1);
  });
});

describe('the same seed', () => {
  it('gives the same root, instance and module ids', async () => {
    const run = async () => {
      await using emulator = await startEmulator({ seed: 'again', kms: false });
      const { enclaveId } = await emulator.runEnclave({ command: ['sleep', '60'] });
      return { enclaveId, root: Buffer.from(emulator.rootCertificate).toString('hex'), instance: emulator.instanceId };
    };
    const [first, second] = [await run(), await run()];
    expect(second).toEqual(first);
    await using other = await startEmulator({ seed: 'another', kms: false });
    expect(other.instanceId).not.toBe(first.instance);
  });
});

describe('an enclave that ends', () => {
  it('has ended though a process that left its group holds on to its console', async () => {
    await using emulator = await startEmulator({ kms: false, namespaces: false });
    const enclave = await emulator.runEnclave({
      command: ['sh', '-c', 'setsid sleep 600 & echo $!; exit 4'],
      debugMode: true,
    });
    let text = '';
    for await (const bytes of enclave.console()) text += String(bytes);
    expect(await enclave.exited).toMatchObject({ exitCode: 4 });
    process.kill(Number(text), 'SIGKILL');
  });

  it.each([
    ['sh -c "exit 143"', { exitCode: 143, signal: null }],
    // As the shell tells of a program that it ran and that a signal ended: the shell itself ended by itself.
    ['sh -c "kill -SEGV \\$\\$"; exit $?', { exitCode: 139, signal: null }],
    [`exec ${process.execPath} -e "process.kill(process.pid, 'SIGSEGV'); process.abort()"`, { exitCode: null }],
  ])('says how, and takes no exit code for a signal: %s', async (script, exit) => {
    await using emulator = await startEmulator({ kms: false });
    const enclave = await emulator.runEnclave({ command: ['sh', '-c', script] });
    expect(await enclave.exited).toMatchObject({ ...exit, terminated: false });
  });

  it('keeps its CID until nothing of it is left, and the next one may have it then', async () => {
    await using emulator = await startEmulator({ kms: false });
    const options: RunCommandOptions = { command: ['true'], enclaveCid: 50, enclaveName: 'again' };
    for (let round = 0; round < 5; round += 1) {
      const enclave = await emulator.runEnclave(options);
      await expect(emulator.runEnclave(options)).rejects.toMatchObject({ code: 'EMULATOR_ARGUMENT' });
      await enclave.exited;
      expect(emulator.describeEnclaves()).toEqual([]);
    }
  });

  it('is not started any more by an emulator that is being closed, which waits for it', async () => {
    const emulator = await startEmulator({ kms: false });
    const late = emulator.runEnclave({ command: ['sleep', '60'] });
    const refused = expect(late).rejects.toMatchObject({ code: 'EMULATOR_CLOSED' });
    await Promise.all([emulator.close(), emulator.close()]);
    await refused;
    expect(existsSync(emulator.folder)).toBe(false);
  });
});

describe('the instance of an emulator', () => {
  it.each([
    ['no ARN', { roleArn: 'x' }],
    ['the ARN of a user', { roleArn: 'arn:aws:iam::123456789012:user/me' }],
    [
      'a role of another partition than the region',
      { region: 'cn-north-1', roleArn: 'arn:aws:iam::123456789012:role/x' },
    ],
    ['an instance id that is none', { instanceId: 'i-XYZ' }],
    ['an instance id of another length', { instanceId: 'i-123456789' }],
    ['a region that is none', { region: 'Ireland' }],
  ])('is refused with %s', async (_, options) => {
    await expect(startEmulator({ kms: false, ...options })).rejects.toMatchObject({ code: 'EMULATOR_ARGUMENT' });
  });

  it('has its keys in the account of its role', async () => {
    const roleArn = 'arn:aws:iam::123456789012:role/service/Webserver';
    await using emulator = await startEmulator({ roleArn });
    expect(emulator.kms?.accountId).toBe('123456789012');
    await using other = await startEmulator({ roleArn, kms: { accountId: '999988887777' } });
    expect(other.kms?.accountId).toBe('999988887777');
  });
});

describe('a command that is told of in unusual ways', () => {
  let emulator: Emulator;
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'a=b -'));
    emulator = await startEmulator({ kms: false });
  });
  afterAll(async () => {
    await emulator.close();
    await rm(folder, { recursive: true });
  });

  async function output(options: RunCommandOptions): Promise<string> {
    const enclave = await emulator.runEnclave({ ...options, debugMode: true });
    let text = '';
    for await (const bytes of enclave.console()) text += String(bytes);
    return text;
  }

  it('is run from a path with an equals sign and a space', async () => {
    const executable = join(folder, 'say it');
    await writeFile(executable, '#!/bin/sh\necho "said $1 $X"', { mode: 0o755 });
    expect(await output({ command: [executable, 'A=b'], environment: { X: 'y' } })).toBe('said A=b y\n');
  });

  it('gets variables whose names look like options', async () => {
    const environment = { '-u': 'x', PATH: '/usr/bin:/bin' };
    expect(await output({ command: ['env'], environment })).toContain('-u=x\n');
  });

  it.each([
    ['a variable without a name', { environment: { '': 'x' } }],
    ['a variable with an equals sign in its name', { environment: { 'A=B': 'x' } }],
    ['a variable with a NUL in its value', { environment: { A: '\0' } }],
    ['an argument with a NUL', { command: ['echo', '\0'] }],
  ])('refuses %s', async (_, options) => {
    await expect(emulator.runEnclave({ command: ['true'], ...options })).rejects.toMatchObject({
      code: 'EMULATOR_ARGUMENT',
    });
  });

  it('is looked for in folders as the working directory sees them', async () => {
    await mkdir(join(folder, 'bin'));
    await writeFile(join(folder, 'bin', 'here'), '#!/bin/sh\necho found', { mode: 0o755 });
    expect(await output({ command: ['here'], workingDirectory: folder, searchPath: 'bin:/bin' })).toBe('found\n');
    expect(await output({ command: ['here'], workingDirectory: join(folder, 'bin'), searchPath: ':/bin' })).toBe(
      'found\n',
    );
  });

  it('is looked for as shells do: a file that cannot be executed is passed over', async () => {
    await writeFile(join(folder, 'true'), 'not a program', { mode: 0o644 });
    const enclave = await emulator.runEnclave({ command: ['true'], searchPath: `${folder}:/usr/bin:/bin` });
    expect(await enclave.exited).toMatchObject({ exitCode: 0 });
  });

  it('measures folders with links that go round in circles, each link by its target', async () => {
    const tree = join(folder, 'tree');
    await mkdir(join(tree, 'deep'), { recursive: true });
    for (const name of ['one', 'two', 'three']) await symlink('..', join(tree, 'deep', name));
    const measure = async () => {
      const enclave = await emulator.runEnclave({ command: ['true'], files: [tree] });
      await enclave.exited;
      return enclave.describe().Measurements.PCR2;
    };
    const before = await measure();
    expect(await measure()).toBe(before);
    await symlink('elsewhere', join(tree, 'four'));
    expect(await measure()).not.toBe(before);
  });

  it('writes to its console more than anybody reads, and holds little of it', async () => {
    const enclave = await emulator.runEnclave({
      command: ['sh', '-c', 'head -c 20000000 /dev/zero; sleep 60'],
      debugMode: true,
    });
    const slow = enclave.console();
    const all = enclave.console();
    let length = 0;
    // As much as a reader is given at least, however slow the other one is.
    for await (const bytes of all) {
      length += bytes.length;
      if (length >= 1_000_000) break;
    }
    await enclave.terminate();
    expect(slow.readableLength).toBeLessThan(2_000_000);
  });
});
