import { getEventListeners, once } from 'node:events';
import type { Transport } from '@nitro-enclaves/vsock';
import { describe, expect, it } from 'vitest';
import { TRANSPORTS } from './transports.ts';

describe.each(TRANSPORTS)('a server %s', (_, machines) => {
  async function enclave(): Promise<Transport> {
    return (await machines()).enclave;
  }

  it('closed while it begins to listen does not listen, and says that it is closed', async () => {
    const server = (await enclave()).createServer();
    let listened = false;
    server.on('listening', () => {
      listened = true;
    });
    const closing = once(server, 'close');
    const listening = server.listen({ port: 0 });
    server.close();
    await listening;
    await closing;
    expect([listened, server.listening, server.address()]).toEqual([false, false, null]);
  });

  it('listens no more than a moment with a signal that is aborted already', async () => {
    const server = (await enclave()).createServer();
    const closing = once(server, 'close');
    await server.listen({ port: 0, signal: AbortSignal.abort() });
    await closing;
    expect(server.listening).toBe(false);
  });

  it('does not hear a signal of an earlier time', async () => {
    const stop = new AbortController();
    const server = (await enclave()).createServer();
    await server.listen({ port: 0, signal: stop.signal });
    await server.drain();
    await server.listen({ port: 0 });
    stop.abort();
    await new Promise(setImmediate);
    expect(server.listening).toBe(true);
    await server.drain();
  });

  it('does not hear a signal of a time at which it was closed before it listened', async () => {
    const stop = new AbortController();
    const server = (await enclave()).createServer();
    const closing = once(server, 'close');
    const listening = server.listen({ port: 0, signal: stop.signal });
    server.close();
    await Promise.all([listening, closing]);
    expect(getEventListeners(stop.signal, 'abort')).toEqual([]);
    await server.listen({ port: 0 });
    stop.abort();
    await new Promise(setImmediate);
    expect(server.listening).toBe(true);
    await server.drain();
  });

  it('leaves no listener on signals, aborted ones included', async () => {
    const { signal } = new AbortController();
    for (const given of [signal, AbortSignal.abort()]) {
      const server = (await enclave()).createServer();
      await server.listen({ port: 0, signal: given });
      await server.drain();
      expect(getEventListeners(given, 'abort')).toEqual([]);
    }
  });

  it.each([-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31])('does not drain for %s ms', async (timeout) => {
    const server = await (await enclave()).createServer().listen({ port: 0 });
    await expect(server.drain({ timeout })).rejects.toMatchObject({ code: 'ERR_OUT_OF_RANGE' });
    expect(server.listening).toBe(true);
    await server.drain();
  });

  it.each([-1, 1.5, Number.NaN])('has no limit of %s connections, which would never be reached', async (limit) => {
    const machine = await enclave();
    expect(() => machine.createServer({ maxConnections: limit })).toThrow(RangeError);
    const server = machine.createServer({ maxConnections: 1 });
    expect(() => {
      server.maxConnections = limit;
    }).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
    expect(server.maxConnections).toBe(1);
    server.maxConnections = Number.POSITIVE_INFINITY;
    server.maxConnections = undefined;
  });

  it('lets nobody in with a limit of 0, nor with an allow-list of nobody', async () => {
    const machine = await enclave();
    for (const options of [{ maxConnections: 0 }, { allowedCids: [] }]) {
      let served = 0;
      const server = await machine.createServer(options, () => served++).listen({ port: 0 });
      const dropped = once(server, 'drop');
      const connection = machine.connect({ cid: 16, port: server.address()?.port ?? 0 });
      await Promise.all([dropped, connection.then((socket) => socket.on('error', () => {}).destroy()).catch(() => {})]);
      expect(served).toBe(0);
      await server.drain({ timeout: 0 });
    }
  });

  it.each([-1, 2 ** 32 - 1, Number.NaN])('has no CID %s on its allow-list', async (cid) => {
    const machine = await enclave();
    expect(() => machine.createServer({ allowedCids: [3, cid] })).toThrow(RangeError);
  });

  it.each([-1, 1.5, Number.NaN, 2 ** 31])('has no queue of %s connections', async (backlog) => {
    const server = (await enclave()).createServer();
    await expect(server.listen({ port: 0, backlog })).rejects.toMatchObject({ code: 'ERR_OUT_OF_RANGE' });
    expect(server.listening).toBe(false);
  });

  it('is disposed of by await using, whether it listens or not', async () => {
    {
      await using idle = (await enclave()).createServer();
      expect(idle.listening).toBe(false);
    }
    const server = (await enclave()).createServer();
    {
      await using listening = await server.listen({ port: 0 });
      expect(listening.listening).toBe(true);
    }
    expect(server.listening).toBe(false);
  });

  it('lets every connection out of its handler’s error without harm to others', async () => {
    const machine = await enclave();
    let arrivals = 0;
    const server = machine.createServer({}, (socket) => {
      arrivals += 1;
      socket.destroy(arrivals === 1 ? new Error('of the application') : undefined);
      socket.on('error', () => {});
    });
    await server.listen({ port: 0 });
    for (let round = 0; round < 3; round += 1) {
      const socket = await machine.connect({ cid: 16, port: server.address()?.port ?? 0 }).catch(() => undefined);
      socket?.on('error', () => {}).resume();
      if (socket !== undefined) await once(socket, 'close');
    }
    await expect.poll(() => arrivals).toBe(3);
    await server.drain();
  });
});
