import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { TRANSPORTS } from './transports.ts';

describe.each(TRANSPORTS)('connecting %s', (_, machines) => {
  it('leaves no listener on a signal, whether it succeeds, is refused or is given up', async () => {
    const { parent, enclave } = await machines();
    await using server = await enclave.createServer({}, (socket) => socket.end()).listen({ port: 80 });
    const { signal } = new AbortController();
    for (let round = 0; round < 5; round += 1) {
      (await parent.connect({ cid: 16, port: 80, signal })).destroy();
      await expect(parent.connect({ cid: 16, port: 81, signal })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
      await expect(parent.connect({ cid: 16, port: 0, signal })).rejects.toThrow(RangeError);
    }
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    const stop = new AbortController();
    const given = parent.connect({ cid: 16, port: 80, signal: stop.signal });
    stop.abort();
    await expect(given).rejects.toMatchObject({ code: 'ABORT_ERR' });
    expect(getEventListeners(stop.signal, 'abort')).toEqual([]);
    expect(server.listening).toBe(true);
  });

  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31])(
    'refuses a deadline of %s ms',
    async (timeout) => {
      const { parent } = await machines();
      await expect(parent.connect({ cid: 16, port: 80, timeout })).rejects.toMatchObject({
        name: 'RangeError',
        code: 'ERR_OUT_OF_RANGE',
      });
    },
  );

  it.each([
    ['a text', '16'],
    ['no number', Number.NaN],
    ['a BigInt', 16n],
    ['nothing', undefined],
  ])('refuses %s as a CID or a port', async (_what, value) => {
    const { parent, enclave } = await machines();
    const wrong = value as number;
    const refusal = { code: 'ERR_OUT_OF_RANGE' };
    await expect(parent.connect({ cid: wrong, port: 80 })).rejects.toMatchObject(refusal);
    await expect(parent.connect({ cid: 16, port: wrong })).rejects.toMatchObject(refusal);
    await expect(enclave.createServer().listen({ port: wrong })).rejects.toMatchObject(refusal);
  });
});
