import assert from 'node:assert/strict';
import { once } from 'node:events';
import { VMADDR_CID_ANY } from '../address.ts';
import type { VsockSocket } from '../socket.ts';
import type { VsockDrop } from '../transport.ts';
import type { ConformanceTest } from './conformance-test.ts';
import { closed, conformanceTest, pause, readAll, stage, until } from './conformance-test.ts';

/** What a server does: the contract of `net.Server`, and what vsock adds to it. */
export const listening: readonly ConformanceTest[] = [
  conformanceTest('a server has an address while it listens, and a port that nobody else has', async (pair) => {
    await using first = await stage(pair, () => {});
    await using second = await stage(pair, () => {});
    assert.equal(first.server.listening, true);
    assert.notEqual(first.port, second.port);
    assert.ok(first.port >= 1024);
    await first.server.drain();
    assert.equal(first.server.address(), null);
    assert.equal(first.server.listening, false);
  }),

  conformanceTest('a port that is taken is EADDRINUSE, and free again at once when its server closes', async (pair) => {
    await using scene = await stage(pair, () => {});
    const other = pair.server.createServer({}, (socket) => socket.end('other'));
    await assert.rejects(other.listen({ port: scene.port }), { code: 'EADDRINUSE', syscall: 'bind', port: scene.port });
    assert.equal(other.listening, false);
    await scene.server.drain({ timeout: 0 });
    await other.listen({ port: scene.port });
    assert.equal((await readAll(await scene.connect())).toString(), 'other');
    await other.drain();
  }),

  conformanceTest('what cannot be listened on is a RangeError', async (pair) => {
    for (const port of [-1, 1.5, 2 ** 32]) {
      await assert.rejects(pair.server.createServer().listen({ port }), { code: 'ERR_OUT_OF_RANGE' });
    }
    const address = { port: 0, cid: VMADDR_CID_ANY + 1 };
    await assert.rejects(pair.server.createServer().listen(address), { code: 'ERR_OUT_OF_RANGE' });
  }),

  conformanceTest('a server listens once, and closes once', async (pair) => {
    await using scene = await stage(pair, () => {});
    await assert.rejects(scene.server.listen({ port: 0 }), { code: 'ERR_SERVER_ALREADY_LISTEN' });
    await scene.server.drain();
    const [failure] = await new Promise<unknown[]>((resolve) => scene.server.close((...all) => resolve(all)));
    assert.equal(failure instanceof Error && Reflect.get(failure, 'code'), 'ERR_SERVER_NOT_RUNNING');
    await scene.server.listen({ port: 0 });
    assert.equal(scene.server.listening, true);
  }),

  conformanceTest('allowedCids: a peer that is not listed is cut off before the application sees it', async (pair) => {
    let served = 0;
    await using scene = await stage(pair, () => served++, { allowedCids: [pair.clientCid + 1] });
    const dropped = once(scene.server, 'drop');
    const socket = await scene.connect();
    await closed(socket);
    const [drop]: VsockDrop[] = await dropped;
    assert.equal(drop?.reason, 'cid-not-allowed');
    assert.equal(drop?.remoteCid, pair.clientCid);
    assert.equal(drop?.remotePort, socket.localPort);
    assert.equal(drop?.localPort, scene.port);
    assert.equal(served, 0);
  }),

  conformanceTest('allowedCids: a peer that is listed is served', async (pair) => {
    await using scene = await stage(pair, (socket) => socket.end('in'), { allowedCids: new Set([pair.clientCid]) });
    assert.equal((await readAll(await scene.connect())).toString(), 'in');
  }),

  conformanceTest('maxConnections: one more is dropped, and served when another has left', async (pair) => {
    await using scene = await stage(pair, (socket) => socket.write('in'), { maxConnections: 1 });
    const first = await scene.connect();
    await once(first, 'data');
    const dropped = once(scene.server, 'drop');
    assert.equal((await closedWithData(await scene.connect())).length, 0);
    const [drop]: VsockDrop[] = await dropped;
    assert.equal(drop?.reason, 'too-many-connections');
    first.destroy();
    await until(() => first.closed);
    while ((await connections(scene.server)) > 0) await pause(5);
    const next = await scene.connect();
    await once(next, 'data');
    next.destroy();
  }),

  conformanceTest('close lets connections end by themselves, and lets nobody else in', async (pair) => {
    await using scene = await stage(pair, (socket) => socket.pipe(socket));
    const socket = await scene.connect();
    socket.write('before ');
    await once(socket, 'readable');
    let done = false;
    const closing = once(scene.server, 'close').then(() => {
      done = true;
    });
    scene.server.close();
    while (await connects(scene)) await pause(5);
    assert.equal(done, false);
    socket.end('after');
    assert.equal((await readAll(socket)).toString(), 'before after');
    await closing;
  }),

  conformanceTest('drain waits for connections that end in time', async (pair) => {
    await using scene = await stage(pair, (socket) => setTimeout(() => socket.end('finished'), 100));
    const answer = readAll(await scene.connect());
    await until(() => true);
    while ((await connections(scene.server)) === 0) await pause(5);
    await scene.server.drain({ timeout: 60_000 });
    assert.equal((await answer).toString(), 'finished');
  }),

  conformanceTest('drain ends what does not end by itself', async (pair) => {
    await using scene = await stage(pair, (socket) => socket.write('in'), { allowHalfOpen: true });
    const socket = await scene.connect();
    await once(socket, 'data');
    const ended = closed(socket);
    await scene.server.drain({ timeout: 20 });
    await ended;
    assert.equal(await connections(scene.server), 0);
  }),

  conformanceTest('a signal closes the server', async (pair) => {
    const stop = new AbortController();
    const server = pair.server.createServer();
    await server.listen({ port: 0, signal: stop.signal });
    const ended = once(server, 'close');
    stop.abort();
    await ended;
    assert.equal(server.listening, false);
  }),

  conformanceTest('a listener closed under load leaves nobody waiting', async (pair) => {
    const scene = await stage(pair, (socket) => socket.end('x'));
    const visit = async (): Promise<void> => {
      const socket = await scene.connect({ timeout: 30_000 }).catch((error) => {
        assert.ok(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ENOTCONN'].includes(error.code), error.code);
      });
      if (socket) await closed(socket);
    };
    const visits = Array.from({ length: 100 }, visit);
    await Promise.race(visits);
    await scene[Symbol.asyncDispose]();
    await Promise.all(visits);
  }),
];

function connections(server: { getConnections(callback: (error: Error | null, count: number) => void): unknown }) {
  return new Promise<number>((resolve) => {
    server.getConnections((_, count) => resolve(count));
  });
}

async function connects(scene: { connect(): Promise<VsockSocket> }): Promise<boolean> {
  try {
    const socket = await scene.connect();
    await closed(socket.destroy());
    return true;
  } catch {
    return false;
  }
}

async function closedWithData(socket: VsockSocket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  await closed(socket);
  return Buffer.concat(chunks);
}
