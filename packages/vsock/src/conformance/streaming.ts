import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import type { VsockSocket } from '../socket.ts';
import type { ConformanceTest } from './conformance-test.ts';
import { closed, conformanceTest, pause, readAll, stage, until } from './conformance-test.ts';

const MIB = 2 ** 20;
const BLOCK = randomBytes(64 * 1024);

/** `count` blocks, none of them like another. */
function* blocks(count: number): Generator<Buffer> {
  for (let index = 0; index < count; index += 1) {
    const block = Buffer.from(BLOCK);
    block.writeUInt32LE(index);
    yield block;
  }
}

async function digest(stream: AsyncIterable<Buffer>): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of stream) hash.update(chunk);
  return hash.digest('hex');
}

/** What a connection does with bytes: the contract of `net.Socket`. */
export const streaming: readonly ConformanceTest[] = [
  conformanceTest('16 MiB arrive whole and in order, there and back', async (pair) => {
    await using scene = await stage(pair, (socket) => socket.pipe(socket));
    const socket = await scene.connect();
    const back = digest(socket);
    Readable.from(blocks(256)).pipe(socket);
    assert.equal(await back, await digest(Readable.from(blocks(256))));
  }),

  conformanceTest('one write of 4 MiB arrives whole', async (pair) => {
    const whole = randomBytes(4 * MIB);
    await using scene = await stage(pair, (socket) => socket.end(whole));
    assert.ok((await readAll(await scene.connect())).equals(whole));
  }),

  conformanceTest('thousands of small writes arrive whole and in order', async (pair) => {
    await using scene = await stage(pair, (socket) => socket.pipe(socket));
    const socket = await scene.connect();
    const lines = Array.from({ length: 5000 }, (_, index) => `${index}\n`);
    for (const line of lines) socket.write(line);
    socket.end();
    assert.equal((await readAll(socket)).toString(), lines.join(''));
  }),

  conformanceTest('a writer whose peer does not read is told to wait, and told when to go on', async (pair) => {
    let peer: VsockSocket | undefined;
    await using scene = await stage(pair, (socket) => {
      peer = socket.pause();
    });
    const socket = await scene.connect();
    while (socket.write(BLOCK));
    while (socket.writableLength < 4 * MIB) socket.write(BLOCK);
    await until(() => peer !== undefined);
    const drained = once(socket, 'drain');
    peer?.resume();
    await drained;
    assert.equal(socket.writableLength, 0);
    socket.destroy();
  }),

  conformanceTest('a paused reader holds at most 1 MiB, however much is sent', async (pair) => {
    let peer: VsockSocket | undefined;
    await using scene = await stage(pair, (socket) => {
      peer = socket.pause();
    });
    const socket = await scene.connect();
    socket.write(randomBytes(16 * MIB));
    await until(() => peer !== undefined);
    await pause(500);
    assert.ok((peer?.readableLength ?? MIB + 1) <= MIB, `${peer?.readableLength} bytes held`);
    assert.ok((peer?.bytesRead ?? MIB + 1) <= MIB, `${peer?.bytesRead} bytes taken from the kernel`);
    socket.destroy();
  }),

  conformanceTest('with allowHalfOpen, what was ended one way goes on the other', async (pair) => {
    await using scene = await stage(
      pair,
      (socket) => {
        readAll(socket).then((question) => socket.end(`answer to ${question}`));
      },
      { allowHalfOpen: true },
    );
    const socket = await scene.connect({ allowHalfOpen: true });
    socket.end('question');
    await once(socket, 'finish');
    assert.equal((await readAll(socket)).toString(), 'answer to question');
  }),

  conformanceTest('without allowHalfOpen, our side ends when the other does', async (pair) => {
    await using scene = await stage(pair, (socket) => socket.end('bye'), { allowHalfOpen: true });
    const socket = await scene.connect();
    assert.equal(await closed(socket), undefined);
    assert.equal(socket.writableEnded, true);
  }),

  conformanceTest('corked writes leave together, in order', async (pair) => {
    await using scene = await stage(pair, (socket) => socket.pipe(socket));
    const socket = await scene.connect();
    socket.cork();
    socket.write('a');
    socket.write('');
    socket.write('b');
    await pause(50);
    assert.equal(socket.bytesRead, 0);
    socket.uncork();
    socket.end('c');
    assert.equal((await readAll(socket)).toString(), 'abc');
  }),

  conformanceTest('what was read and written is counted', async (pair) => {
    let peer: VsockSocket | undefined;
    await using scene = await stage(pair, (socket) => {
      peer = socket;
      socket.pipe(socket);
    });
    const socket = await scene.connect();
    socket.end(BLOCK);
    await readAll(socket);
    assert.equal(socket.bytesWritten, BLOCK.length);
    assert.equal(socket.bytesRead, BLOCK.length);
    assert.equal(peer?.bytesRead, BLOCK.length);
    assert.equal(peer?.bytesWritten, BLOCK.length);
  }),

  conformanceTest('an idle socket says so by `timeout`, and stays open', async (pair) => {
    await using scene = await stage(pair, (socket) => socket.pipe(socket));
    const socket = await scene.connect();
    socket.setTimeout(50);
    await once(socket, 'timeout');
    socket.setTimeout(0);
    socket.end('alive');
    assert.equal((await readAll(socket)).toString(), 'alive');
  }),

  conformanceTest('destroy with an error emits it here, and closes there', async (pair) => {
    let peer: VsockSocket | undefined;
    await using scene = await stage(pair, (socket) => {
      peer = socket;
      socket.resume();
    });
    const socket = await scene.connect();
    const ours = closed(socket);
    socket.destroy(new Error('enough'));
    assert.equal((await ours)?.message, 'enough');
    await until(() => peer?.closed === true);
  }),

  conformanceTest('events come in the async context of whoever connected, or listened', async (pair) => {
    const context = new AsyncLocalStorage<string>();
    let served: string | undefined;
    await using scene = await context.run('listener', () =>
      stage(pair, (socket) => {
        served = context.getStore();
        socket.pipe(socket);
      }),
    );
    const seen = await context.run('client', async () => {
      const socket = await scene.connect();
      const data = new Promise<string | undefined>((resolve) => socket.once('data', () => resolve(context.getStore())));
      socket.end('x');
      return [context.getStore(), await data];
    });
    assert.deepEqual(seen, ['client', 'client']);
    assert.equal(served, 'listener');
  }),
];
