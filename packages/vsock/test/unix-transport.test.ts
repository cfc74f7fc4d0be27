import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { connect as netConnect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { VsockSocket } from '@nitro-enclaves/vsock';
import { unixTransport, VMADDR_CID_LOCAL } from '@nitro-enclaves/vsock';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vsock-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('unixTransport', () => {
  it('carries bytes between two machines, each of which sees the other by its CID', async () => {
    const enclave = unixTransport({ folder, cid: 16 });
    const parent = unixTransport({ folder, cid: 3 });
    const seen: number[] = [];
    await using server = await enclave
      .createServer({}, (socket) => {
        seen.push(socket.remoteCid, socket.localCid, socket.localPort);
        socket.pipe(socket);
      })
      .listen({ port: 5000 });
    expect(server.address()).toEqual({ cid: 0xffff_ffff, port: 5000 });
    const socket = await parent.connect({ cid: 16, port: 5000 });
    socket.end('hello');
    expect(Buffer.concat(await socket.toArray()).toString()).toBe('hello');
    expect(seen).toEqual([3, 16, 5000]);
    expect([socket.remoteCid, socket.remotePort, socket.localCid]).toEqual([16, 5000, 3]);
  });

  it('does not count its own sixteen bytes', async () => {
    const machine = unixTransport({ folder, cid: 4 });
    const server = machine.createServer();
    await server.listen({ port: 0 });
    const accepted = once(server, 'connection');
    const client = await machine.connect({ cid: 4, port: server.address()?.port ?? 0 });
    const [socket]: VsockSocket[] = await accepted;
    client.end('seven b');
    await socket?.toArray();
    expect(socket?.bytesRead).toBe(7);
    expect(client.bytesWritten).toBe(7);
    await server.drain();
  });

  it('reaches itself by VMADDR_CID_LOCAL', async () => {
    const machine = unixTransport({ folder, cid: 4 });
    await using server = await machine
      .createServer({}, (socket) => socket.end(`${socket.remoteCid} ${socket.localCid}`))
      .listen({ port: 0 });
    const client = await machine.connect({ cid: VMADDR_CID_LOCAL, port: server.address()?.port ?? 0 });
    expect(Buffer.concat(await client.toArray()).toString()).toBe('1 1');
  });

  it.each([2 ** 32 - 1, -1, 1.5, 0, 1])('refuses %s as a machine', (cid) => {
    expect(() => unixTransport({ folder, cid })).toThrow(RangeError);
  });

  it('refuses a folder whose socket paths would be cut', () => {
    expect(() => unixTransport({ folder: `/${'f'.repeat(90)}`, cid: 3 })).toThrow(
      expect.objectContaining({ code: 'ENAMETOOLONG' }),
    );
  });

  it('refuses to listen on the CID of another machine', async () => {
    const server = unixTransport({ folder, cid: 4 }).createServer();
    await expect(server.listen({ port: 1, cid: 5 })).rejects.toMatchObject({
      code: 'EADDRNOTAVAIL',
      syscall: 'bind',
      message: 'bind EADDRNOTAVAIL vm(5):1',
    });
    expect(server.listening).toBe(false);
  });

  it('refuses a port that is taken, and leaves its listener alone', async () => {
    const machine = unixTransport({ folder, cid: 4 });
    await using first = await machine.createServer({}, (socket) => socket.end('first')).listen({ port: 7 });
    await expect(machine.createServer().listen({ port: 7 })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    const client = await machine.connect({ cid: 4, port: 7 });
    expect(Buffer.concat(await client.toArray()).toString()).toBe('first');
    expect(first.listening).toBe(true);
  });

  it('takes over the socket of a process that died', async () => {
    const path = join(folder, '4.7');
    const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 9))`;
    await once(spawn(process.execPath, ['-e', script]), 'exit');
    expect(await readdir(folder)).toEqual(['4.7']);
    const machine = unixTransport({ folder, cid: 4 });
    await using server = await machine.createServer({}, (socket) => socket.end('new')).listen({ port: 7 });
    const client = await machine.connect({ cid: 4, port: 7 });
    expect(Buffer.concat(await client.toArray()).toString()).toBe('new');
    expect(await readdir(folder)).toEqual(['4.7']);
    expect(server.listening).toBe(true);
  });

  it.each(['file', 'link'])(
    'leaves a %s alone that stands where its socket would, and calls the port taken',
    async (kind) => {
      const path = join(folder, '4.7');
      const content = join(folder, 'content');
      await writeFile(content, 'of somebody else');
      if (kind === 'file') await rename(content, path);
      else await symlink(content, path);
      const server = unixTransport({ folder, cid: 4 }).createServer();
      await expect(server.listen({ port: 7 })).rejects.toMatchObject({ code: 'EADDRINUSE', syscall: 'bind', port: 7 });
      expect(await readFile(path, 'utf8')).toBe('of somebody else');
    },
  );

  it('makes its folder for its owner alone', async () => {
    const own = join(folder, 'a/b');
    await using server = await unixTransport({ folder: own, cid: 4 }).createServer().listen({ port: 7 });
    expect(server.listening).toBe(true);
    for (const made of [own, join(folder, 'a')]) expect((await stat(made)).mode & 0o777).toBe(0o700);
  });

  it('frees the port at once when the server closes', async () => {
    const machine = unixTransport({ folder, cid: 4 });
    for (let round = 0; round < 20; round += 1) {
      const server = await machine.createServer().listen({ port: 9 });
      await server.drain();
    }
    expect(await readdir(folder)).toEqual([]);
  });

  it.each([
    ['no folder', 'absent'],
    ['no socket', ''],
  ])('answers ECONNREFUSED where there is %s', async (_, name) => {
    const machine = unixTransport({ folder: join(folder, name), cid: 3 });
    await expect(machine.connect({ cid: 16, port: 5000 })).rejects.toMatchObject({
      message: 'connect ECONNREFUSED vm(16):5000',
      code: 'ECONNREFUSED',
      errno: -111,
      syscall: 'connect',
      address: 'vm(16)',
      port: 5000,
    });
  });

  it.each(['short', 'VSCX'.repeat(4), ''])('drops a stranger who begins with %j, and serves on', async (greeting) => {
    const machine = unixTransport({ folder, cid: 4 });
    let arrivals = 0;
    await using server = await machine.createServer({}, () => arrivals++).listen({ port: 7 });
    const stranger = netConnect(join(folder, '4.7'));
    stranger.end(greeting);
    stranger.resume();
    await once(stranger, 'close');
    expect(arrivals).toBe(0);
    (await machine.connect({ cid: 4, port: 7 })).destroy();
    expect(server.listening).toBe(true);
  });

  it('waits for a listener whose queue is full, until the deadline', async () => {
    const script = `
      const server = require('net').createServer();
      server.listen({ path: ${JSON.stringify(join(folder, '4.7'))}, backlog: 1 }, () => {
        process.send('listening', () => { for (;;); });
      });`;
    const busy = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    await once(busy, 'message');
    const machine = unixTransport({ folder, cid: 3 });
    const sockets: VsockSocket[] = [];
    const fill = async () => {
      for (;;) sockets.push(await machine.connect({ cid: 4, port: 7, timeout: 500 }));
    };
    await expect(fill()).rejects.toMatchObject({ message: 'connect ETIMEDOUT vm(4):7' });
    for (const socket of sockets) socket.on('error', () => {}).destroy();
    busy.kill('SIGKILL');
    await once(busy, 'exit');
  });
});
