import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { connectSocket, openSocket } from '@nitro-enclaves/native';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { adoptDescriptor } from '../src/adopt.ts';

const AF_UNIX = 1;
const AF_VSOCK = 40;

let folder = '';
let peers: Socket[] = [];
const server = createServer({ allowHalfOpen: true }, (socket) => {
  peers.push(socket);
  socket.pipe(socket);
});

/** A descriptor connected to `server`, as the addon hands one over. */
function connectedDescriptor(): Promise<number> {
  const name = Buffer.from(`__${String(server.address())}\0`, 'latin1');
  name.writeUInt16LE(AF_UNIX, 0);
  return new Promise((connected, failed) => {
    connectSocket(openSocket(AF_UNIX), name, { timeout: 10_000, connected, failed });
  });
}

function descriptorOf(socket: Socket): unknown {
  return Reflect.get(Reflect.get(socket, '_handle'), 'fd');
}

function descriptorCount(): number {
  return readdirSync('/proc/self/fd').length;
}

describe.runIf(process.platform === 'linux')('the descriptor swap', () => {
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'adopt-'));
    server.listen(join(folder, 'socket'));
    await once(server, 'listening');
  });
  afterEach(async () => {
    for (const peer of peers) peer.destroy();
    peers = [];
    server.close();
    await once(server, 'close');
    await rm(folder, { recursive: true });
  });

  it('makes a socket that is the connection, under a number of its own', async () => {
    const descriptor = await connectedDescriptor();
    const socket = adoptDescriptor(descriptor, AF_UNIX, { allowHalfOpen: false });
    expect(descriptorOf(socket)).not.toBe(descriptor);
    socket.end('over the swap');
    expect((await buffer(socket)).toString()).toBe('over the swap');
  });

  it('falls back to opening the descriptor itself when what it finds under the number is of another family', async () => {
    const descriptor = await connectedDescriptor();
    const socket = adoptDescriptor(descriptor, AF_VSOCK, { allowHalfOpen: false });
    expect(descriptorOf(socket)).toBe(descriptor);
    socket.end('over the fallback');
    expect((await buffer(socket)).toString()).toBe('over the fallback');
  });

  it.each([
    ['swap', AF_UNIX],
    ['fallback', AF_VSOCK],
  ])('leaves no descriptor behind: %s', async (_, family) => {
    const use = async (): Promise<void> => {
      const socket = adoptDescriptor(await connectedDescriptor(), family, { allowHalfOpen: false });
      socket.resume().end();
      await once(socket, 'close');
    };
    await use();
    const before = descriptorCount();
    for (let round = 0; round < 50; round += 1) await use();
    await expect.poll(descriptorCount).toBeLessThanOrEqual(before);
  });

  it('refuses a descriptor that is none', () => {
    expect(() => adoptDescriptor(-1, AF_UNIX, { allowHalfOpen: false })).toThrow('EBADF');
  });

  it('passes the first small write of a turn on at once, the others together, and large ones as they come', async () => {
    const socket = adoptDescriptor(await connectedDescriptor(), AF_UNIX, { allowHalfOpen: false });
    const calls: string[] = [];
    const handle = Reflect.get(socket, '_handle');
    for (const name of ['writev', 'writeBuffer', 'writeUtf8String', 'writeLatin1String']) {
      const original = Reflect.get(handle, name);
      Reflect.set(handle, name, (...args: unknown[]) => {
        calls.push(name);
        return Reflect.apply(original, handle, args);
      });
    }
    for (let index = 0; index < 100; index += 1) socket.write(`${index},`);
    await new Promise(setImmediate);
    expect(calls).toEqual(['writeUtf8String', 'writev']);
    socket.write(Buffer.alloc(8192));
    expect(calls).toEqual(['writeUtf8String', 'writev', 'writeBuffer']);
    socket.destroy();
  });

  it('keeps the order of small and large writes, callbacks included', async () => {
    const socket = adoptDescriptor(await connectedDescriptor(), AF_UNIX, { allowHalfOpen: true });
    const order: number[] = [];
    socket.write('a', () => order.push(1));
    socket.write(Buffer.alloc(10_000, 'b'), () => order.push(2));
    socket.write('63', 'hex', () => order.push(3));
    socket.end('d', () => order.push(4));
    const all = await buffer(socket);
    expect(all.toString()).toBe(`a${'b'.repeat(10_000)}cd`);
    expect(order).toEqual([1, 2, 3, 4]);
  });
});
