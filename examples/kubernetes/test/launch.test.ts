import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLauncher, type Emulator, startEmulator } from '@nitro-enclaves/emulator';
import type { EnclaveLauncher } from '@nitro-enclaves/parent';
import { unixTransport } from '@nitro-enclaves/vsock';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { launch } from '../src/launch.mjs';

let emulator: Emulator;
let stop: AbortController;
let log: Record<string, unknown>[];
/** Of the sockets by which the enclave is reached here. */
let folder: string;
beforeEach(async () => {
  emulator = await startEmulator({ kms: false });
  folder = await mkdtemp(join(tmpdir(), 'pod-'));
  stop = new AbortController();
  log = [];
});
afterEach(async () => {
  stop.abort();
  await emulator.close();
  await rm(folder, { recursive: true });
});

/** A shell of this machine in the place of the image. */
function launcherOf(script: string): EnclaveLauncher {
  const launcher = createLauncher(emulator);
  return {
    describeEnclaves: () => launcher.describeEnclaves(),
    console: (id) => launcher.console(id),
    terminateEnclave: (id) => launcher.terminateEnclave(id),
    runEnclave: async ({ enclaveCid }) => {
      const place = enclaveCid === undefined ? {} : { enclaveCid };
      return (await emulator.runEnclave({ command: ['sh', '-c', script], ...place })).toJSON();
    },
  };
}

const env = {
  EIF_PATH: 'application.eif',
  MEMORY_MIB: '64',
  CPU_COUNT: '2',
  ENCLAVE_CID: '16',
  READY_PORT: '443',
  HEALTH_PORT: '0',
};
const start = (launcher: EnclaveLauncher) =>
  launch({
    launcher,
    transport: unixTransport({ folder, cid: 3 }),
    env,
    signal: stop.signal,
    log: (entry: object) => log.push({ ...entry }),
  });
const eventually = (check: () => unknown) => vi.waitFor(check, { timeout: 30_000 });
const healthPort = () => log.find(({ event }) => event === 'health')?.['port'];
const status = async (path = '/ready') => (await fetch(`http://127.0.0.1:${healthPort()}${path}`)).status;

describe('the program of the pod', () => {
  it('is ready once the enclave answers, and ends it when told to stop', async () => {
    const ended = start(launcherOf('sleep 60'));
    await eventually(() => expect(log).toContainEqual(expect.objectContaining({ event: 'started', EnclaveCID: 16 })));
    await eventually(() => expect(healthPort()).toBeTypeOf('number'));
    expect([await status(), await status('/other')]).toEqual([503, 404]);
    const server = unixTransport({ folder, cid: 16 }).createServer({}, (socket) => socket.end());
    await server.listen({ port: 443 });
    await eventually(async () => expect(await status()).toBe(200));
    await server.drain({ timeout: 0 });
    stop.abort();
    expect(await ended).toBe(true);
    expect(emulator.describeEnclaves()).toEqual([]);
  });

  it('says so when the enclave ends before it answers, and starts it again', async () => {
    const ended = start(launcherOf('exit 1'));
    await eventually(() => expect(log.filter(({ event }) => event === 'started').length).toBeGreaterThan(1));
    expect(log).toContainEqual(expect.objectContaining({ event: 'failed' }));
    stop.abort();
    await ended;
  });
});
