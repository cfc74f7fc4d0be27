import { once } from 'node:events';
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
