import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { createLauncher, type Emulator, startEmulator } from '@nitro-enclaves/emulator';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EnclaveLauncher, RunningEnclave } from '../src/index.ts';
import { ProxyService, superviseEnclave } from '../src/index.ts';

let emulator: Emulator;
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parent-'));
  emulator = await startEmulator({ kms: false });
});
afterEach(async () => {
  await emulator.close();
  await rm(folder, { recursive: true, force: true });
});

/** Launches a program of this machine in the place of each image: what is launched is not the supervisor's business. */
async function launcherOf(program: string): Promise<EnclaveLauncher> {
  const file = join(folder, 'enclave.mjs');
  await writeFile(file, program);
  const launcher = createLauncher(emulator);
  return {
    describeEnclaves: () => launcher.describeEnclaves(),
    console: (id) => launcher.console(id),
    terminateEnclave: (id) => launcher.terminateEnclave(id),
    runEnclave: async ({ debugMode = false }): Promise<RunningEnclave> => {
      const enclave = await emulator.runEnclave({ command: [process.execPath, file], debugMode });
      return enclave.toJSON();
    },
  };
}

const options = { eifPath: 'image.eif', memoryMiB: 64, cpuCount: 2 };

describe('the supervisor and enclaves of the emulator', () => {
  it('starts one again that died, under another id, and ends it when told to', async () => {
    const launcher = await launcherOf('setTimeout(() => process.exit(1), 300)');
    await using supervisor = superviseEnclave({ launcher, enclave: options, pollInterval: 50, initialDelay: 10 });
    const [first] = await once(supervisor, 'started');
    const [second] = await once(supervisor, 'started');
    expect(second.EnclaveID).not.toBe(first.EnclaveID);
    await supervisor.stop();
    expect(emulator.describeEnclaves()).toEqual([]);
  });

  it('reads the console of one in debug mode', async () => {
    const launcher = await launcherOf("console.log('hello from inside'); setTimeout(() => undefined, 200)");
    const { EnclaveID } = await launcher.runEnclave({ ...options, debugMode: true });
    expect(await text(launcher.console(EnclaveID))).toContain('hello from inside');
  });
});

describe('a route into an enclave of the emulator', () => {
  it('fails one connection while nobody listens there, and says so', async () => {
    const launcher = await launcherOf('setTimeout(() => undefined, 60_000)');
    const { EnclaveCID } = await launcher.runEnclave(options);
    const log: unknown[] = [];
    const path = join(folder, 'in.sock');
    const route = {
      direction: 'ingress',
      name: 'in',
      from: { kind: 'unix', path },
      cid: EnclaveCID,
      port: 7000,
      proxyProtocol: undefined,
    } as const;
    await using proxy = new ProxyService({
      transport: emulator.transport,
      config: { routes: [route], allowList: [] },
      log: (entry) => log.push(entry),
    });
    await proxy.start();
    await once(
      connect({ path })
        .on('error', () => undefined)
        .resume(),
      'close',
    );
    const refused = { event: 'connection', cid: EnclaveCID, outcome: 'ECONNREFUSED' };
    expect(log).toContainEqual(expect.objectContaining(refused));
  });
});
