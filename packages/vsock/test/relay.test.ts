import { once } from 'node:events';
import type { AddressInfo, Server, Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { VsockServer, VsockSocket } from '@nitro-enclaves/vsock';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { relaySockets } from '../src/relay.ts';
import { TRANSPORTS } from './transports.ts';

const PORT = 5000;

describe.runIf(process.platform === 'linux').each(TRANSPORTS)('a relay of sockets %s', (_, makeMachines) => {
  /** Far ends of what the relay joins: an enclave, and the world. */
  let client: VsockSocket;
  let upstream: Socket;
  /** What the relay joins. */
  let from: VsockSocket;
  let to: Socket;
  let server: VsockServer;
  let world: Server;

  beforeEach(async () => {
    const { parent, enclave } = await makeMachines();
    server = parent.createServer({ allowHalfOpen: true, maxConnections: 1 });
    await server.listen({ port: PORT });
    const arrived = once(server, 'connection');
    client = await enclave.connect({ cid: 3, port: PORT, allowHalfOpen: true });
    [from] = await arrived;
    world = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
    await once(world, 'listening');
    const { port } = world.address() as AddressInfo;
    const reached = once(world, 'connection');
    to = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    [upstream] = await reached;
    await once(to, 'connect');
    for (const socket of [client, upstream, from, to]) socket.on('error', () => undefined);
  });
  afterEach(async () => {
    for (const socket of [client, upstream, from, to]) socket.destroy();
    await server.drain({ timeout: 0 });
    world.close();
  });

  /** Until Node has read something of a socket that nobody reads. */
  const readAhead = (socket: Socket, bytes: number) =>
    vi.waitFor(() => expect(socket.readableLength).toBe(bytes), { timeout: 20_000 });

  /** All that comes until the end, which leaves the socket writable. */
  const readAll = async (socket: Socket): Promise<string> => {
    const pieces: Buffer[] = [];
    socket.on('data', (piece: Buffer) => pieces.push(piece));
    await once(socket, 'end');
    return Buffer.concat(pieces).toString();
  };

  it('passes on what Node has read first, then the rest, and each end', async () => {
    client.write('early ');
    upstream.write('hello ');
    await readAhead(from, 6);
    await readAhead(to, 6);
    const outcome = relaySockets(from, to, 0);
    expect(outcome).toBeDefined();
    client.end('and late');
    expect(await readAll(upstream)).toBe('early and late');
    upstream.end('world');
    expect(await readAll(client)).toBe('hello world');
    expect(await outcome).toEqual({ end: 'closed', bytesForward: 14, bytesBack: 11 });
    expect([from.destroyed, to.destroyed]).toEqual([true, true]);
  });

  it('passes on all that Node has read in several pieces', async () => {
    client.write('one ');
    await readAhead(from, 4);
    client.write('two ');
    await readAhead(from, 8);
    const outcome = relaySockets(from, to, 0);
    client.end('three');
    upstream.end();
    client.resume();
    expect(await readAll(upstream)).toBe('one two three');
    expect(await outcome).toMatchObject({ end: 'closed', bytesForward: 13 });
  });

  it('passes on an end that Node has read', async () => {
    client.end('all of it');
    await readAhead(from, 9);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const outcome = relaySockets(from, to, 0);
    expect(await readAll(upstream)).toBe('all of it');
    upstream.end('answer');
    expect(await readAll(client)).toBe('answer');
    expect(await outcome).toMatchObject({ end: 'closed', bytesForward: 9, bytesBack: 6 });
  });

  it('counts what was written before', async () => {
    to.write('header ');
    const outcome = relaySockets(from, to, 0);
    client.end('body');
    upstream.end();
    client.resume();
    expect(await readAll(upstream)).toBe('header body');
    expect(await outcome).toMatchObject({ bytesForward: 11 });
  });

  it('holds the place of the connection at its server until the end', async () => {
    const outcome = relaySockets(from, to, 0);
    const count = () => new Promise((resolve) => server.getConnections((_error, connections) => resolve(connections)));
    expect(await count()).toBe(1);
    let isClosed = false;
    server.close(() => {
      isClosed = true;
    });
    upstream.resume();
    client.resume();
    client.end();
    await once(upstream, 'end');
    expect([isClosed, await count()]).toEqual([false, 1]);
    const closed = once(server, 'close');
    upstream.end();
    await outcome;
    await closed;
    expect(await count()).toBe(0);
  });

  it('is broken off when the server is drained', async () => {
    const outcome = relaySockets(from, to, 0);
    const gone = new Promise((resolve) => upstream.once('close', resolve).resume());
    await server.drain({ timeout: 0 });
    expect(await outcome).toMatchObject({ end: 'reset' });
    await gone;
  });

  it.each([['from'], ['to']])('is broken off when one of both is destroyed: %s', async (which) => {
    const outcome = relaySockets(from, to, 0);
    const socket = which === 'from' ? from : to;
    socket.destroy(new Error('a reason of its own'));
    expect(await outcome).toMatchObject({ end: 'reset' });
    expect([from.destroyed, to.destroyed]).toEqual([true, true]);
  });

  it('ends when nothing moves', async () => {
    expect(await relaySockets(from, to, 30)).toEqual({ end: 'idle', bytesForward: 0, bytesBack: 0 });
  });

  it.each<[string, () => void]>([
    ['a socket that is destroyed', () => to.destroy()],
    ['one that has been ended', () => to.end()],
    ['one whose bytes are decoded', () => from.setEncoding('utf8')],
    ['one that ends when its peer does', () => Reflect.set(from, 'allowHalfOpen', false)],
    ['one with unsent bytes', () => to.write(Buffer.alloc(64 * 1024 * 1024))],
  ])('is left to others: %s', async (_name, spoil) => {
    spoil();
    expect(relaySockets(from, to, 0)).toBeUndefined();
  });

  it('is left to others: TLS', () => {
    expect(relaySockets(new TLSSocket(from), to, 0)).toBeUndefined();
  });

  it('leaves sockets that it cannot relay as they were', async () => {
    client.write('early ');
    await readAhead(from, 6);
    expect(relaySockets(from, to, -1)).toBeUndefined();
    client.end('and late');
    expect(await readAll(from)).toBe('early and late');
  });
});
