import { randomUUID } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { nativeTransport } from '../src/native-transport.ts';
import { unixFamily } from './unix-family.ts';

describe.runIf(process.platform === 'linux')('a transport over kernel sockets', () => {
  const machines = () => {
    const scope = randomUUID();
    return { parent: nativeTransport(unixFamily(3, scope)), enclave: nativeTransport(unixFamily(16, scope)) };
  };

  it('carries megabytes there and back, and has the address that was bound', async () => {
    const { parent, enclave } = machines();
    await using server = await enclave.createServer({}, (socket) => socket.pipe(socket)).listen({ port: 5000 });
    const socket = await parent.connect({ cid: 16, port: 5000 });
    const sent = Buffer.alloc(3_000_000, 'abc');
    socket.end(sent);
    expect((await buffer(socket)).equals(sent)).toBe(true);
    expect(server.address()).toEqual({ cid: 16, port: 5000 });
  });

  it('says where nobody listens, with what the kernel said as the cause', async () => {
    const { parent } = machines();
    await expect(parent.connect({ cid: 16, port: 5001 })).rejects.toMatchObject({
      message: 'connect ECONNREFUSED vm(16):5001',
      errno: -111,
      cause: { code: 'ECONNREFUSED', syscall: 'connect' },
    });
  });
});
