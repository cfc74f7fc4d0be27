import { getEventListeners } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeCbor } from '@nitro-enclaves/core';
import { Nsm, NsmError, openNsm } from '@nitro-enclaves/nsm';
import { describe, expect, it } from 'vitest';
import { answering, map, ScriptedDevice } from './scripted-device.ts';

/** A device that gives random bytes in chunks of these lengths, over and over; their values count up. */
function randomInChunks(...lengths: number[]): ScriptedDevice {
  let next = 0;
  return new ScriptedDevice(() => {
    const length = lengths[device.requests.length % lengths.length] ?? 1;
    return encodeCbor(map({ GetRandom: map({ random: Uint8Array.from({ length }, () => next++ % 256) }) }));
  });
}
let device: ScriptedDevice;

const never = (): ScriptedDevice => new ScriptedDevice(() => new Promise(() => {}));

describe('getRandom', () => {
  it.each([
    [0, 0],
    [1, 1],
    [256, 1],
    [257, 2],
    [1000, 4],
  ])('gives %i bytes in %i requests of 256', async (length, requests) => {
    device = randomInChunks(256);
    const random = await new Nsm(device).getRandom(length);
    expect(random).toEqual(Uint8Array.from({ length }, (_, index) => index % 256));
    expect(device.requests.length).toBe(requests);
  });

  it('puts chunks of any length together without gap or overlap', async () => {
    device = randomInChunks(1, 200, 3, 256);
    expect(await new Nsm(device).getRandom(900)).toEqual(Uint8Array.from({ length: 900 }, (_, index) => index % 256));
  });

  it('stops asking once it is told to', async () => {
    device = randomInChunks(1);
    const stop = new AbortController();
    const slow = new ScriptedDevice(async (bytes) => {
      if (slow.requests.length === 3) stop.abort(new Error('enough'));
      return device.request(bytes);
    });
    await expect(new Nsm(slow).getRandom(100_000, { signal: stop.signal })).rejects.toMatchObject({
      code: 'ABORT_ERR',
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(slow.requests.length).toBeLessThan(6);
  });

  it('has one deadline for all of its requests together', async () => {
    let count = 0;
    const slow = new ScriptedDevice(async () => {
      count += 1;
      await new Promise((resolve) => setTimeout(resolve, 5));
      return encodeCbor(map({ GetRandom: map({ random: Uint8Array.of(1) }) }));
    });
    await expect(new Nsm(slow).getRandom(1_000_000, { timeout: 60 })).rejects.toMatchObject({ code: 'NSM_TIMEOUT' });
    expect(count).toBeLessThan(1_000_000);
  });
});

describe('entropySeed', () => {
  it('mixes 1024 random bytes into the pool unless told otherwise', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'nsm-pool-'));
    try {
      const pool = join(folder, 'random');
      await writeFile(pool, '');
      device = randomInChunks(256);
      expect(await new Nsm(device).entropySeed({ pool })).toBe(1024);
      expect([...(await readFile(pool))]).toEqual(Array.from({ length: 1024 }, (_, index) => index % 256));
      expect(await new Nsm(randomInChunks(256)).entropySeed({ pool, length: 3 })).toBe(3);
      expect((await readFile(pool)).length).toBe(3);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('says so when there is no pool', async () => {
    device = randomInChunks(256);
    const seeding = new Nsm(device).entropySeed({ pool: '/no/such/pool', length: 8 });
    await expect(seeding).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('takes bytes into the kernel of this machine', { skip: process.platform !== 'linux' }, async () => {
    device = randomInChunks(256);
    expect(await new Nsm(device).entropySeed({ length: 64 })).toBe(64);
  });
});

describe('requests of your own', () => {
  it('give what the response holds beside the name', async () => {
    const nsm = new Nsm(answering(map({ SealData: map({ blob: Uint8Array.of(9) }) })));
    const answer = await nsm.request({ name: 'SealData', fields: new Map([['data', Uint8Array.of(1)]]) });
    expect(answer).toEqual(new Map([['blob', Uint8Array.of(9)]]));
  });

  it('give undefined when the response is only the name', async () => {
    expect(await new Nsm(answering('Reset')).request({ name: 'Reset' })).toBeUndefined();
  });

  it('meet errors of the module as every other', async () => {
    const nsm = new Nsm(answering(map({ Error: 'InvalidOperation' })));
    await expect(nsm.request({ name: 'SealData' })).rejects.toMatchObject({ code: 'NSM_INVALID_OPERATION' });
  });
});

describe('waiting', () => {
  it('ends at the deadline of the call', async () => {
    await expect(new Nsm(never()).describeNsm({ timeout: 20 })).rejects.toMatchObject({ code: 'NSM_TIMEOUT' });
  });

  it('ends at the deadline that all calls of a client have', async () => {
    const nsm = new Nsm(never(), { timeout: 20 });
    await expect(nsm.attestation()).rejects.toMatchObject({ code: 'NSM_TIMEOUT' });
    await expect(nsm.getRandom(5)).rejects.toMatchObject({ code: 'NSM_TIMEOUT' });
  });

  it('ends when the signal fires, with its reason as the cause, and tells the device', async () => {
    const hanging = never();
    const stop = new AbortController();
    const reason = new Error('the client went away');
    const call = new Nsm(hanging).attestation({ signal: stop.signal });
    setImmediate(() => stop.abort(reason));
    await expect(call).rejects.toMatchObject({ name: 'AbortError', code: 'ABORT_ERR', cause: reason });
    expect(hanging.signals[0]?.aborted).toBe(true);
  });

  it('does not begin with a signal that has fired', async () => {
    const hanging = never();
    const call = new Nsm(hanging).describeNsm({ signal: AbortSignal.abort() });
    await expect(call).rejects.toMatchObject({ name: 'AbortError' });
    expect(hanging.requests).toEqual([]);
  });

  it('leaves no listener on a signal that outlives many calls, answered or not', async () => {
    const { signal } = new AbortController();
    const nsm = new Nsm(answering('LockPCR'));
    for (let count = 0; count < 20; count += 1) await nsm.lockPcr(16, { signal });
    const hanging = new Nsm(never(), { timeout: 5 });
    for (let count = 0; count < 5; count += 1) await hanging.lockPcr(16, { signal }).catch(() => undefined);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('leaves no listener on a signal when the device throws at once', async () => {
    const { signal } = new AbortController();
    const hasty = {
      request: (): Promise<Uint8Array> => {
        throw new Error('no promise');
      },
      close: async () => {},
    };
    await expect(new Nsm(hasty).describeNsm({ signal })).rejects.toThrow('no promise');
    await new Promise((resolve) => setImmediate(resolve));
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('gives the error of a device that fails as it is', async () => {
    const broken = new ScriptedDevice(() => Promise.reject(new NsmError('NSM_DEVICE_FAILED', 'EIO')));
    await expect(new Nsm(broken).describeNsm()).rejects.toMatchObject({ code: 'NSM_DEVICE_FAILED' });
  });
});

describe('closing', () => {
  it('closes the device at the end of the block', async () => {
    device = answering('LockPCR');
    {
      await using nsm = new Nsm(device);
      await nsm.lockPcr(16);
    }
    expect(device.closes).toBe(1);
  });

  it('lets nothing pass afterwards', async () => {
    device = answering('LockPCR');
    const nsm = new Nsm(device);
    await nsm.close();
    await expect(nsm.lockPcr(16)).rejects.toMatchObject({ code: 'NSM_CLOSED' });
    await expect(nsm.getRandom(4)).rejects.toMatchObject({ code: 'NSM_CLOSED' });
    expect(device.requests).toEqual([]);
  });
});

describe('openNsm', () => {
  it('says what to do where there is no module', async () => {
    const opening = openNsm({ path: '/no/such/nsm' });
    await expect(opening).rejects.toBeInstanceOf(NsmError);
    await expect(opening).rejects.toMatchObject({ code: 'NSM_UNAVAILABLE' });
    await expect(opening).rejects.toThrow(/emulator|addon/);
  });

  it('reports what is no module as a device that failed', { skip: process.platform !== 'linux' }, async () => {
    const opened = await openNsm({ path: '/dev/null' }).catch((error: unknown) => error);
    if (opened instanceof NsmError) {
      // No addon on this machine.
      expect(opened.code).toBe('NSM_UNAVAILABLE');
      return;
    }
    if (!(opened instanceof Nsm)) throw opened;
    await using nsm = opened;
    await expect(nsm.describeNsm()).rejects.toMatchObject({ code: 'NSM_DEVICE_FAILED' });
  });
});
