import assert from 'node:assert/strict';
import { once } from 'node:events';
import { formatCid, formatVsockAddress, VMADDR_CID_ANY, VMADDR_PORT_ANY } from '../address.ts';
import type { ConformanceTest } from './conformance-test.ts';
import { closed, conformanceTest, readAll, stage, until } from './conformance-test.ts';

/** How connections come about, and how they fail to. */
export const connecting: readonly ConformanceTest[] = [
  conformanceTest('a connection is open and writable when it is handed over', async (pair) => {
    await using scene = await stage(pair, (socket) => socket.pipe(socket));
    const socket = await scene.connect();
    assert.equal(socket.connecting, false);
    assert.equal(socket.pending, false);
    assert.equal(socket.readyState, 'open');
    socket.end('hello');
    assert.equal((await readAll(socket)).toString(), 'hello');
  }),

  conformanceTest('both ends know both CIDs and both ports, also after the end', async (pair) => {
    await using scene = await stage(pair, (socket) => {
      socket.end(JSON.stringify([socket.remoteCid, socket.remotePort, socket.localCid, socket.localPort]));
    });
    const socket = await scene.connect();
    const [remoteCid, remotePort, localCid, localPort] = JSON.parse((await readAll(socket)).toString());
    assert.equal(remoteCid, pair.clientCid);
    assert.equal(localCid, pair.serverCid);
    assert.equal(localPort, scene.port);
    assert.equal(remotePort, socket.localPort);
    await until(() => socket.closed);
    assert.equal(socket.remoteCid, pair.serverCid);
    assert.equal(socket.remotePort, scene.port);
    assert.equal(socket.remoteAddress, formatCid(pair.serverCid));
    assert.equal(socket.localCid, pair.clientCid);
  }),

  conformanceTest(
    'where nobody listens the error is ECONNREFUSED, with the address as Node would give it',
    async (pair) => {
      const port = await freedPort(pair);
      const address = { cid: pair.serverCid, port };
      await assert.rejects(pair.client.connect(address), {
        message: `connect ECONNREFUSED ${formatVsockAddress(address)}`,
        code: 'ECONNREFUSED',
        syscall: 'connect',
        address: formatCid(pair.serverCid),
        cid: pair.serverCid,
        port,
      });
    },
  ),

  conformanceTest('what is no destination is a RangeError before any call', async (pair) => {
    const wrong = [
      { cid: VMADDR_CID_ANY, port: 1 },
      { cid: pair.serverCid, port: VMADDR_PORT_ANY },
      { cid: pair.serverCid, port: 0 },
      { cid: pair.serverCid, port: -1 },
      { cid: 1.5, port: 1 },
      { cid: 2 ** 32, port: 1 },
    ];
    for (const address of wrong) await assert.rejects(pair.client.connect(address), { code: 'ERR_OUT_OF_RANGE' });
    await assert.rejects(pair.client.connect({ cid: pair.serverCid, port: 1, timeout: 0 }), {
      code: 'ERR_OUT_OF_RANGE',
    });
  }),

  conformanceTest('a signal aborted before connects nothing', async (pair) => {
    let arrivals = 0;
    await using scene = await stage(pair, () => arrivals++);
    await assert.rejects(scene.connect({ signal: AbortSignal.abort() }), { name: 'AbortError', code: 'ABORT_ERR' });
    (await scene.connect()).destroy();
    await until(() => arrivals === 1);
  }),

  conformanceTest('a signal aborted while connecting gives up, with its reason as the cause', async (pair) => {
    await using scene = await stage(pair, () => {});
    const stop = new AbortController();
    const reason = new Error('no longer wanted');
    const connection = scene.connect({ signal: stop.signal });
    stop.abort(reason);
    await assert.rejects(connection, { name: 'AbortError', code: 'ABORT_ERR', cause: reason });
  }),

  conformanceTest('a signal aborted after connecting does nothing', async (pair) => {
    await using scene = await stage(pair, (socket) => socket.pipe(socket));
    const stop = new AbortController();
    const socket = await scene.connect({ signal: stop.signal });
    stop.abort();
    socket.end('still here');
    assert.equal((await readAll(socket)).toString(), 'still here');
  }),

  conformanceTest('a hundred connections at once stay apart', async (pair) => {
    await using scene = await stage(pair, (socket) => socket.pipe(socket));
    const echo = async (index: number): Promise<void> => {
      const socket = await scene.connect();
      socket.end(`${index}:${'x'.repeat(index * 100)}`);
      assert.equal((await readAll(socket)).toString(), `${index}:${'x'.repeat(index * 100)}`);
    };
    await Promise.all(Array.from({ length: 100 }, (_, index) => echo(index)));
  }),

  conformanceTest('five hundred short connections, one after the other', async (pair) => {
    await using scene = await stage(pair, (socket) => socket.end('x'));
    for (let round = 0; round < 500; round += 1) assert.equal((await readAll(await scene.connect())).toString(), 'x');
  }),

  conformanceTest('a peer that vanishes closes the connection', async (pair) => {
    await using scene = await stage(pair, (socket) => socket.once('data', () => socket.destroy()));
    const socket = await scene.connect();
    socket.write('go');
    const failure = await closed(socket);
    const code: unknown = failure === undefined ? undefined : Reflect.get(failure, 'code');
    assert.ok(
      [undefined, 'ECONNRESET', 'EPIPE', 'ENOTCONN'].includes(code === undefined ? code : String(code)),
      String(code),
    );
  }),

  conformanceTest('writing to a peer that has gone fails, and does not hang', async (pair) => {
    await using scene = await stage(pair, (socket) => socket.destroy());
    const socket = await scene.connect({ allowHalfOpen: true });
    const failed = once(socket, 'error');
    const keepWriting = setInterval(() => socket.write('x'.repeat(1000)), 5);
    const [error] = await failed;
    clearInterval(keepWriting);
    assert.ok(['EPIPE', 'ECONNRESET', 'ENOTCONN'].includes(error.code), error.code);
  }),
];

/** A port on which somebody listened, and nobody does any more. */
async function freedPort(pair: Parameters<ConformanceTest['run']>[0]): Promise<number> {
  const scene = await stage(pair, () => {});
  await scene[Symbol.asyncDispose]();
  return scene.port;
}
