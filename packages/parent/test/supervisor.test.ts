import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { unixTransport } from '@nitro-enclaves/vsock';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type {
  EnclaveDescription,
  EnclaveLauncher,
  RunEnclaveOptions,
  RunningEnclave,
  SuperviseOptions,
} from '../src/index.ts';
import { type EnclaveSupervisor, ExitStatusListener, superviseEnclave } from '../src/index.ts';
import { parseExitStatus } from '../src/launch/exit-status.ts';

const enclave: RunEnclaveOptions = { eifPath: 'image.eif', memoryMiB: 64, cpuCount: 2 };

/** A place where enclaves run, in memory: as far as a supervisor can see, any other. */
class MemoryLauncher implements EnclaveLauncher {
  readonly running: EnclaveDescription[] = [];
  started = 0;
  failing = 0;
  /** How often it cannot say what runs. */
  silent = 0;

  async runEnclave({ memoryMiB, cpuCount, signal }: RunEnclaveOptions): Promise<RunningEnclave> {
    signal?.throwIfAborted();
    if (this.failing > 0) {
      this.failing -= 1;
      throw new Error('no memory left');
    }
    this.started += 1;
    const started: EnclaveDescription = {
      EnclaveID: `enc${this.started}`,
      ProcessID: 1,
      EnclaveCID: 15 + this.started,
      NumberOfCPUs: cpuCount,
      CPUIDs: [1, 3],
      MemoryMiB: memoryMiB,
      State: 'RUNNING',
      Flags: 'NONE',
    };
    this.running.push(started);
    return started;
  }

  async describeEnclaves(): Promise<readonly EnclaveDescription[]> {
    if (this.silent > 0) {
      this.silent -= 1;
      throw new Error('E10');
    }
    return [...this.running];
  }

  console(): PassThrough {
    return new PassThrough();
  }

  async terminateEnclave(id: string): Promise<void> {
    this.end(id);
  }

  end(id: string): void {
    const at = this.running.findIndex(({ EnclaveID }) => EnclaveID === id);
    if (at !== -1) this.running.splice(at, 1);
  }
}

let supervisor: EnclaveSupervisor | undefined;
const eventually = (check: () => unknown) => vi.waitFor(check, { timeout: 20_000 });
const supervise = (launcher: EnclaveLauncher, options: Partial<SuperviseOptions> = {}) => {
  supervisor = superviseEnclave({ launcher, enclave, pollInterval: 5, initialDelay: 5, ...options });
  return supervisor;
};
afterEach(async () => {
  await supervisor?.stop();
});

describe('a supervised enclave', () => {
  it('is started, and is ready once its application answers', async () => {
    const answering = deferred();
    const kept = supervise(new MemoryLauncher(), { ready: () => answering.promise });
    await eventually(() => expect(kept.enclave?.EnclaveCID).toBe(16));
    expect(kept.isReady).toBe(false);
    answering.resolve();
    expect(await kept.waitReady()).toMatchObject({ EnclaveCID: 16 });
    expect(kept.isReady).toBe(true);
  });

  it('is started again when it ended, and its CID is followed', async () => {
    const launcher = new MemoryLauncher();
    const kept = supervise(launcher);
    const first = await kept.waitReady();
    launcher.end(first.EnclaveID);
    await eventually(() => expect(kept.enclave?.EnclaveCID).toBe(17));
    expect(await kept.waitReady()).toMatchObject({ EnclaveID: 'enc2' });
  });

  it('is not started again after exit code 0, and is after any other end', async () => {
    const launcher = new MemoryLauncher();
    const statuses = [{ exitCode: 1 }, { signal: 9 }, undefined, { exitCode: 0 }];
    const exits: unknown[] = [];
    const kept = supervise(launcher, { exitStatus: (cid) => statuses[cid - 16] });
    kept.on('exited', (_, status) => exits.push(status));
    kept.on('ready', ({ EnclaveID }) => launcher.end(EnclaveID));
    await kept.done;
    expect(exits).toEqual(statuses);
    expect(launcher.started).toBe(4);
  });

  it.each([
    ['never', 1],
    ['always', 3],
  ] as const)('restart %s', async (restart, starts) => {
    const launcher = new MemoryLauncher();
    const kept = supervise(launcher, { restart, maxRestarts: 2, exitStatus: () => ({ exitCode: 0 }) });
    kept.on('ready', ({ EnclaveID }) => launcher.end(EnclaveID));
    await kept.done;
    expect(launcher.started).toBe(starts);
  });

  it('waits twice as long before each restart, up to the longest', async () => {
    const launcher = new MemoryLauncher();
    launcher.failing = 5;
    const delays: number[] = [];
    const kept = supervise(launcher, { initialDelay: 2, maxDelay: 10 });
    kept.on('restarting', (delay) => delays.push(delay));
    await kept.waitReady();
    expect(delays).toEqual([2, 4, 8, 10, 10]);
  });

  it('waits the first delay again after it was in good health', async () => {
    const launcher = new MemoryLauncher();
    const delays: number[] = [];
    const kept = supervise(launcher, { initialDelay: 2, healthyAfter: 0, maxRestarts: 1 });
    kept.on('restarting', (delay) => delays.push(delay));
    kept.on('ready', ({ EnclaveID }) => launcher.end(EnclaveID));
    await eventually(() => expect(delays.length).toBeGreaterThan(3));
    expect(new Set(delays)).toEqual(new Set([2]));
  });

  it('was not in good health while it started, however long that took', async () => {
    const launcher = new MemoryLauncher();
    const options = { healthyAfter: 0, maxRestarts: 2, readyTimeout: 10, ready: () => Promise.reject(new Error('no')) };
    await supervise(launcher, options).done;
    expect(launcher.started).toBe(3);
  });

  it('is not ended while the launcher cannot say what runs, but for that it never can', async () => {
    const launcher = new MemoryLauncher();
    const kept = supervise(launcher);
    await kept.waitReady();
    launcher.silent = 5;
    await eventually(() => expect(launcher.silent).toBe(0));
    expect(kept.enclave?.EnclaveID).toBe('enc1');
    launcher.silent = 6;
    await eventually(() => expect(kept.enclave?.EnclaveID).toBe('enc2'));
    expect(launcher.running.map(({ EnclaveID }) => EnclaveID)).toEqual(['enc2']);
  });

  it("is ended, and not started again, when the enclave's own signal is aborted", async () => {
    const launcher = new MemoryLauncher();
    const stop = new AbortController();
    const kept = supervise(launcher, { enclave: { ...enclave, signal: stop.signal } });
    await kept.waitReady();
    stop.abort();
    await kept.done;
    expect([launcher.started, launcher.running]).toEqual([1, []]);
    await supervise(launcher, { enclave: { ...enclave, signal: stop.signal } }).done;
    expect(launcher.started).toBe(1);
  });

  it('is ended and started again when it does not become ready in time', async () => {
    const launcher = new MemoryLauncher();
    const failures: Error[] = [];
    const kept = supervise(launcher, {
      readyTimeout: 20,
      ready: ({ EnclaveCID }) => (EnclaveCID === 16 ? new Promise(() => undefined) : Promise.resolve()),
    });
    kept.on('failed', (error) => failures.push(error));
    expect(await kept.waitReady()).toMatchObject({ EnclaveCID: 17 });
    expect(failures).toMatchObject([{ code: 'NOT_READY', cause: { name: 'TimeoutError' } }]);
    expect(launcher.running.map(({ EnclaveID }) => EnclaveID)).toEqual(['enc2']);
  });

  it('is asked again while it says that it is not ready', async () => {
    const launcher = new MemoryLauncher();
    let asked = 0;
    const kept = supervise(launcher, {
      ready: async () => {
        asked += 1;
        if (asked < 3) throw new Error('not yet');
      },
    });
    expect(await kept.waitReady()).toMatchObject({ EnclaveID: 'enc1' });
    expect(asked).toBe(3);
  });

  it('is started again when it says so until the deadline, and told why', async () => {
    const launcher = new MemoryLauncher();
    const failures: Error[] = [];
    const kept = supervise(launcher, {
      readyTimeout: 20,
      ready: ({ EnclaveCID }) => (EnclaveCID === 16 ? Promise.reject(new Error('not yet')) : Promise.resolve()),
    });
    kept.on('failed', (error) => failures.push(error));
    expect(await kept.waitReady()).toMatchObject({ EnclaveCID: 17 });
    expect(failures).toMatchObject([{ code: 'NOT_READY', cause: { message: 'not yet' } }]);
  });

  it('is started again at once when it ended before it was ready', async () => {
    const launcher = new MemoryLauncher();
    const failures: Error[] = [];
    const kept = supervise(launcher, {
      ready: async ({ EnclaveID }, signal) => {
        if (EnclaveID !== 'enc1') return;
        launcher.end(EnclaveID);
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      },
    });
    kept.on('failed', (error) => failures.push(error));
    expect(await kept.waitReady()).toMatchObject({ EnclaveID: 'enc2' });
    expect(failures).toMatchObject([{ code: 'ENCLAVE_EXITED' }]);
  });

  it('whose starts are used up is reported to whoever waits for it, with the cause', async () => {
    const launcher = new MemoryLauncher();
    launcher.failing = 10;
    const kept = supervise(launcher, { maxRestarts: 2 });
    await expect(kept.waitReady()).rejects.toMatchObject({ code: 'NOT_READY', cause: { message: 'no memory left' } });
    expect(launcher.failing).toBe(7);
  });

  it('is ended when supervision stops, in whatever state it is', async () => {
    const launcher = new MemoryLauncher();
    const kept = supervise(launcher, { ready: () => new Promise(() => undefined) });
    await eventually(() => expect(launcher.running).toHaveLength(1));
    const waiting = kept.waitReady();
    await Promise.all([kept.stop(), expect(waiting).rejects.toMatchObject({ code: 'NOT_READY' })]);
    expect(launcher.running).toEqual([]);
    expect(kept.enclave).toBeUndefined();
  });

  it('does not keep a caller waiting beyond the signal', async () => {
    const kept = supervise(new MemoryLauncher(), { ready: () => new Promise(() => undefined) });
    await expect(kept.waitReady({ signal: AbortSignal.timeout(20) })).rejects.toMatchObject({ name: 'TimeoutError' });
  });
});

describe('exit statuses', () => {
  it('are heard from enclaves, and kept until taken', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'exit-'));
    await using listener = new ExitStatusListener(unixTransport({ folder, cid: 3 }));
    await listener.listen(9001);
    const report = async (cid: number, line: string) => {
      const socket = await unixTransport({ folder, cid }).connect({ cid: 3, port: 9001 });
      socket.end(line);
      await new Promise((resolve) => socket.resume().once('close', resolve));
    };
    await report(16, '{"exitCode":7}\n');
    await report(17, '{"signal":9}\n');
    await report(18, 'GET / HTTP/1.1\r\n\r\n');
    expect([listener.take(16), listener.take(17), listener.take(18)]).toEqual([
      { exitCode: 7 },
      { signal: 9 },
      undefined,
    ]);
    expect(listener.take(16)).toBeUndefined();
    await rm(folder, { recursive: true });
  });

  it.each([
    '',
    '{}',
    '{"exitCode":256}',
    '{"exitCode":-1}',
    '{"exitCode":"0"}',
    '{"exitCode":1.5}',
    '{"signal":null}',
    '[7]',
    'null',
    '{"error":7}',
  ])('that are %j are none', (text) => {
    expect(parseExitStatus(text)).toBeUndefined();
  });

  it('that are errors are cut to size', () => {
    expect(parseExitStatus(JSON.stringify({ error: 'x'.repeat(5000) }))).toEqual({ error: 'x'.repeat(1024) });
  });
});

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
