import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import type { Server } from 'node:net';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import type { ControlServer, Emulator } from '@nitro-enclaves/emulator';
import { startControlServer, startEmulator } from '@nitro-enclaves/emulator';
import type { EmulatorClient } from '@nitro-enclaves/emulator/control';
import { connectEmulator } from '@nitro-enclaves/emulator/control';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

describe('an emulator that another process speaks with', () => {
  let emulator: Emulator;
  let server: ControlServer;
  let client: EmulatorClient;

  beforeAll(async () => {
    emulator = await startEmulator({ kms: false });
    server = await startControlServer(emulator);
    client = connectEmulator(emulator.folder);
  });
  afterAll(async () => {
    await server.close();
    await emulator.close();
  });

  it("runs, describes and terminates an enclave in nitro-cli's shapes", async () => {
    const run = await client.runEnclave({ command: ['sleep', '60'], enclaveName: 'sleeper', memoryMiB: 64 });
    expect(run).toMatchObject({ EnclaveName: 'sleeper', EnclaveCID: 16, MemoryMiB: 64 });
    expect(await client.describeEnclaves()).toEqual([{ ...run, ...emulator.describeEnclaves()[0] }]);
    expect(await client.terminateEnclave('sleeper')).toEqual({
      EnclaveName: 'sleeper',
      EnclaveID: run.EnclaveID,
      Terminated: true,
    });
    expect(await client.describeEnclaves()).toEqual([]);
  });

  it('passes on the console until the enclave ends', async () => {
    const { EnclaveID } = await client.runEnclave({
      command: ['sh', '-c', 'echo one; sleep 0.2; echo two'],
      debugMode: true,
    });
    const console = await client.console(EnclaveID);
    expect((await console.setEncoding('utf8').toArray()).join('')).toBe('one\ntwo\n');
  });

  it('passes on errors with their name and code', async () => {
    await expect(client.console('nobody')).rejects.toMatchObject({
      code: 'EMULATOR_ENCLAVE_UNKNOWN',
      name: 'EmulatorError',
    });
    await expect(client.runEnclave({ command: ['no-such-program'] })).rejects.toMatchObject({
      code: 'EMULATOR_COMMAND',
    });
    await expect(client.runEnclave({ eif: '/dev/null' })).rejects.toMatchObject({ name: 'EifError' });
  });

  it.each(['not JSON\n', '{"command":"launch-missiles"}\n', 'null\n', '[]\n'])(
    'refuses %j and goes on',
    async (text) => {
      const socket = connect(join(emulator.folder, 'control.sock'));
      socket.end(text);
      expect((await socket.setEncoding('utf8').toArray()).join('')).toContain('EMULATOR_ARGUMENT');
      expect(await client.describeEnclaves()).toEqual([]);
    },
  );

  it('can be opened by its user only', async () => {
    expect((await stat(emulator.folder)).mode & 0o077).toBe(0);
  });

  it('is said to be missing where there is none', async () => {
    const nobody = connectEmulator(join(emulator.folder, 'vsock'));
    await expect(nobody.describeEnclaves()).rejects.toMatchObject({ code: 'EMULATOR_UNREACHABLE' });
  });
});

describe('what speaks in place of an emulator', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ne-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  async function answering(answer: string | undefined): Promise<Server> {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      if (answer !== undefined) socket.end(answer);
    });
    server.listen(join(folder, 'control.sock'));
    await once(server, 'listening');
    return server;
  }

  it.each(['no JSON\n', 'no line', ''])('is not taken for one: %j', async (answer) => {
    const server = await answering(answer);
    const run = connectEmulator(folder).runEnclave({ command: ['true'] });
    await expect(run).rejects.toMatchObject({ code: 'EMULATOR_UNREACHABLE' });
    server.close();
  });

  it('is waited for no longer than the signal says', async () => {
    const server = await answering(undefined);
    const stop = new AbortController();
    const run = connectEmulator(folder).runEnclave({ command: ['true'], signal: stop.signal });
    server.once('connection', () => stop.abort(new Error('enough')));
    await expect(run).rejects.toThrow('enough');
    server.close();
  });
});

describe('the folder of an emulator', () => {
  let parent: string;
  let folder: string;
  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), 'ne-'));
    folder = join(parent, 'emulator');
  });
  afterEach(() => rm(parent, { recursive: true }));

  it('is made, and removed at the end', async () => {
    const emulator = await startEmulator({ kms: false, folder });
    expect(emulator.folder).toBe(folder);
    await emulator.close();
    expect(existsSync(folder)).toBe(false);
  });

  it('is refused when it has something in it that is not an emulator’s', async () => {
    await mkdir(folder);
    await writeFile(join(folder, 'thesis.txt'), 'do not delete');
    await expect(startEmulator({ kms: false, folder })).rejects.toMatchObject({ code: 'EMULATOR_FOLDER' });
    expect(existsSync(join(folder, 'thesis.txt'))).toBe(true);
  });

  it('is refused while another emulator has it', async () => {
    await using first = await startEmulator({ kms: false, folder });
    await expect(startEmulator({ kms: false, folder })).rejects.toMatchObject({ code: 'EMULATOR_FOLDER' });
    await expect(first.runEnclave({ command: ['true'] })).resolves.toBeDefined();
  });

  it('is refused when sockets in it would have too long a path, and not left behind', async () => {
    const long = join(parent, 'a'.repeat(90));
    await expect(startEmulator({ kms: false, folder: long })).rejects.toMatchObject({ code: 'ENAMETOOLONG' });
    expect(existsSync(long)).toBe(false);
  });

  it('leaves a folder alone whose emulator.json is of something else, whatever is in it', async () => {
    await mkdir(folder);
    await writeFile(join(folder, 'thesis.txt'), 'do not delete');
    for (const marker of ['{ "pid": 1073741824 }', '{ "device": "phone" }', 'no JSON', '[]', '']) {
      await writeFile(join(folder, 'emulator.json'), marker);
      await expect(startEmulator({ kms: false, folder })).rejects.toMatchObject({ code: 'EMULATOR_FOLDER' });
    }
    await rm(join(folder, 'thesis.txt'));
    for (const marker of ['{ "device": "phone" }', 'no JSON', '[]', '{ "pid": "1" }']) {
      await writeFile(join(folder, 'emulator.json'), marker);
      await expect(startEmulator({ kms: false, folder })).rejects.toMatchObject({ code: 'EMULATOR_FOLDER' });
    }
    expect(existsSync(join(folder, 'emulator.json'))).toBe(true);
  });

  it('takes over what an emulator left that was killed before the folder was its own', async () => {
    await mkdir(folder);
    await writeFile(join(folder, `emulator.json.${2 ** 30}.0a`), '{');
    await using emulator = await startEmulator({ kms: false, folder });
    expect(emulator.describeEnclaves()).toEqual([]);
  });

  it('is not kept from a folder by a process that has the id of the emulator that was killed', async () => {
    await mkdir(folder);
    await writeFile(join(folder, 'emulator.json'), JSON.stringify({ pid: process.pid, started: '1' }));
    await using emulator = await startEmulator({ kms: false, folder });
    expect(emulator.describeEnclaves()).toEqual([]);
  });

  it('belongs to one of two emulators that begin at once', async () => {
    const begun = await Promise.allSettled([1, 2].map(() => startEmulator({ kms: false, folder })));
    const failed = begun.filter((one) => one.status === 'rejected');
    for (const one of begun) if (one.status === 'fulfilled') await one.value.close();
    expect(failed).toMatchObject([{ reason: { code: 'EMULATOR_FOLDER' } }]);
  });

  it('refuses a path that is no folder', async () => {
    await writeFile(folder, '');
    await expect(startEmulator({ kms: false, folder })).rejects.toMatchObject({ code: 'EMULATOR_FOLDER' });
  });

  it('is known by its absolute path, which holds for enclaves in every working directory', async () => {
    await using emulator = await startEmulator({ kms: false, folder: relative(process.cwd(), folder) });
    expect(emulator.folder).toBe(folder);
  });

  it('is taken over from an emulator that was killed', async () => {
    await mkdir(join(folder, 'e16'), { recursive: true });
    await mkdir(join(folder, 'vsock'));
    await writeFile(join(folder, 'vsock', '16.5000'), '');
    await writeFile(join(folder, 'emulator.json'), JSON.stringify({ pid: 2 ** 30 }));
    await using emulator = await startEmulator({ kms: false, folder });
    await expect(emulator.runEnclave({ command: ['true'] })).resolves.toMatchObject({ cid: 16 });
  });
});
