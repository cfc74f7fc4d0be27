import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { closeSocket, openSocket } from '@nitro-enclaves/native';
import { relayDescriptors } from '@nitro-enclaves/native/relay';
import type { Check } from './check.ts';
import { descriptorCount, ROUNDS, until } from './check.ts';
import { AF_INET, AF_UNIX } from './names.ts';
import type { Relayed } from './relayed.ts';
import { openRelayed, receive } from './relayed.ts';
import { closeListening, connectTo, listenOn } from './sockets.ts';

const AT_ONCE = 50;
/** More than the relay and the kernel's buffers of two Unix sockets may hold, and much less than was to be sent. */
const MOST_HELD_BYTES = 2 * 1024 * 1024;
const BULK_BYTES = 8 * 1024 * 1024;

/** The same check over TCP and over Unix sockets. */
function overBoth(name: string, run: (family: number) => Promise<void>): Check[] {
  return [
    { name: `relay: ${name} (TCP)`, run: () => run(AF_INET) },
    { name: `relay: ${name} (Unix)`, run: () => run(AF_UNIX) },
  ];
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Ends one side, has the other answer after that, and ends it too. */
async function halfClose(relayed: Relayed, first: Socket, second: Socket): Promise<void> {
  const [toSecond, toFirst] = [receive(second), receive(first)];
  first.end('question');
  assert.equal((await toSecond).toString(), 'question');
  second.write('answer');
  await sleep(20);
  second.end(', and more');
  assert.equal((await toFirst).toString(), 'answer, and more');
  assert.equal((await relayed.finish()).end, 'closed');
}

/** Writes until nothing more is taken; how many bytes that were. */
async function writeUntilFull(socket: Socket, piece: Uint8Array, most: number): Promise<number> {
  let written = 0;
  for (let quiet = 0; quiet < 10 && written < most; quiet += 1) {
    while (written < most && socket.write(piece)) written += piece.length;
    const before = socket.writableLength;
    await sleep(20);
    if (socket.writableLength !== before) quiet = 0;
  }
  return written;
}

/** ms of processor time that the relay's threads of this process have used. */
function relayThreadTime(): number {
  const tasks = readdirSync('/proc/self/task').filter(
    (task) => readFileSync(`/proc/self/task/${task}/comm`, 'latin1').trim() === 'relay-epoll',
  );
  assert.ok(tasks.length > 0, 'the relay has a thread');
  const times = tasks.map((task) => Number(readFileSync(`/proc/self/task/${task}/schedstat`, 'latin1').split(' ')[0]));
  return times.reduce((sum, time) => sum + time, 0) / 1e6;
}

async function exchange(): Promise<void> {
  const relayed = await openRelayed(AF_UNIX);
  const { first, second } = relayed.ends;
  const answer = receive(first);
  second.pipe(second);
  first.end('short');
  assert.equal((await answer).toString(), 'short');
  assert.deepEqual(await relayed.finish(), { end: 'closed', bytesForward: 5, bytesBack: 5 });
}

/** What a worker does that has nothing but a pair. */
export async function relayAndForget(name: Uint8Array): Promise<void> {
  relayDescriptors(await connectTo(name), await connectTo(name), { idleTimeout: 0 });
}

export const relayChecks: readonly Check[] = [
  ...overBoth('each side’s end is passed on while the other goes on', async (family) => {
    for (const order of ['forward', 'back']) {
      const relayed = await openRelayed(family);
      const { first, second } = relayed.ends;
      if (order === 'forward') await halfClose(relayed, first, second);
      else await halfClose(relayed, second, first);
    }
  }),
  ...overBoth('what is given first arrives first', async (family) => {
    const relayed = await openRelayed(family, { forward: Buffer.from('one, '), back: Buffer.from('1, ') });
    const { first, second } = relayed.ends;
    const [forward, back] = [receive(second), receive(first)];
    first.end('two');
    second.end('2');
    assert.equal((await forward).toString(), 'one, two');
    assert.equal((await back).toString(), '1, 2');
    assert.deepEqual(await relayed.finish(), { end: 'closed', bytesForward: 8, bytesBack: 4 });
  }),
  ...overBoth('megabytes both ways at once arrive unchanged', async (family) => {
    const relayed = await openRelayed(family);
    const [forward, back] = [randomBytes(BULK_BYTES), randomBytes(BULK_BYTES)];
    const received = [receive(relayed.ends.second), receive(relayed.ends.first)];
    relayed.ends.first.end(forward);
    relayed.ends.second.end(back);
    const [gotForward = Buffer.of(), gotBack = Buffer.of()] = await Promise.all(received);
    assert.equal(sha256(gotForward), sha256(forward));
    assert.equal(sha256(gotBack), sha256(back));
    assert.deepEqual(await relayed.finish(), { end: 'closed', bytesForward: BULK_BYTES, bytesBack: BULK_BYTES });
  }),
  {
    name: 'relay: a side that does not read stops the other, and misses nothing of it',
    run: async () => {
      const relayed = await openRelayed(AF_UNIX);
      const { first, second } = relayed.ends;
      second.pause();
      const written = await writeUntilFull(first, randomBytes(65_536), 16 * MOST_HELD_BYTES);
      assert.ok(written < MOST_HELD_BYTES, `held ${written} bytes`);
      const total = first.bytesWritten;
      const received = receive(second);
      first.end();
      second.end();
      first.resume();
      second.resume();
      assert.equal((await received).length, total);
      assert.deepEqual(await relayed.finish(), { end: 'closed', bytesForward: total, bytesBack: 0 });
    },
  },
  {
    name: 'relay: a reset of one side is a reset of the other',
    run: async () => {
      const relayed = await openRelayed(AF_INET);
      const { first, second } = relayed.ends;
      const error = once(second, 'error');
      second.resume();
      first.resetAndDestroy();
      await relayed.outcome();
      assert.equal(Reflect.get((await error)[0], 'code'), 'ECONNRESET');
      assert.equal((await relayed.finish()).end, 'reset');
    },
  },
  {
    name: 'relay: a side that is gone while the other writes breaks it off',
    run: async () => {
      const relayed = await openRelayed(AF_UNIX);
      const { first, second } = relayed.ends;
      second.destroy();
      first.on('error', () => {}).resume();
      while (!first.destroyed && !first.readableEnded) {
        first.write('to nobody');
        await sleep(2);
      }
      assert.equal((await relayed.finish()).end, 'reset');
    },
  },
  ...overBoth('nothing that moves ends it as idle', async (family) => {
    const relayed = await openRelayed(family, { idleTimeout: 50 });
    assert.deepEqual(await relayed.finish(), { end: 'idle', bytesForward: 0, bytesBack: 0 });
  }),
  {
    name: 'relay: one that is idle does not end another, nor is one idle on which bytes move',
    run: async () => {
      const [idle, busy] = [await openRelayed(AF_UNIX, { idleTimeout: 20 }), await openRelayed(AF_UNIX)];
      assert.equal((await idle.finish()).end, 'idle');
      await halfClose(busy, busy.ends.first, busy.ends.second);
    },
  },
  {
    name: 'relay: breaking off is a reset of both, once',
    run: async () => {
      const relayed = await openRelayed(AF_INET);
      const { first, second } = relayed.ends;
      const errors = [once(first.resume(), 'error'), once(second.resume(), 'error')];
      relayed.relay.breakOff();
      relayed.relay.breakOff();
      assert.equal((await relayed.outcome()).end, 'reset');
      for (const [error] of await Promise.all(errors)) assert.equal(Reflect.get(error, 'code'), 'ECONNRESET');
      relayed.relay.breakOff();
    },
  },
  {
    name: 'relay: a half-closed pair at rest uses no processor',
    run: async () => {
      const relayed = await openRelayed(AF_UNIX);
      const { first, second } = relayed.ends;
      const ended = once(second.resume(), 'end');
      // Altogether gone, which the kernel would tell of for as long as it is so.
      first.destroy();
      await ended;
      const before = relayThreadTime();
      await sleep(500);
      assert.ok(relayThreadTime() - before < 100, `used ${relayThreadTime() - before} ms`);
      second.end();
      assert.deepEqual(await relayed.finish(), { end: 'closed', bytesForward: 0, bytesBack: 0 });
    },
  },
  {
    name: 'relay: short connections leave no descriptor behind',
    run: async () => {
      await exchange();
      const before = descriptorCount();
      for (let done = 0; done < ROUNDS; done += AT_ONCE) await Promise.all(Array.from({ length: AT_ONCE }, exchange));
      await until(() => descriptorCount() <= before);
    },
  },
  {
    name: 'relay: a pair keeps its thread alive until its end, and no longer',
    run: async () => {
      const listening = listenOn(AF_UNIX);
      const worker = new Worker(new URL(import.meta.url), { workerData: { mode: 'relay', name: listening.name } });
      const exited = once(worker, 'exit');
      await until(() => listening.accepted.length === 2);
      await sleep(100);
      assert.notEqual(worker.threadId, -1);
      await closeListening(listening);
      assert.deepEqual(await exited, [0]);
    },
  },
  {
    name: 'relay: what cannot be relayed is refused, with nothing taken',
    run: async () => {
      const relayed = await openRelayed(AF_UNIX);
      const [from, to] = relayed.descriptors;
      const file = openSync('/dev/null', 'r');
      const before = descriptorCount();
      const refused = (first: number, second: number, code: string, more = {}) =>
        assert.throws(() => relayDescriptors(first, second, { idleTimeout: 0, ...more }), { code });
      for (const [descriptor, code] of [
        [-1, 'EBADF'],
        [2 ** 31, 'EBADF'],
        [2 ** 32 + from, 'EBADF'],
        [file, 'ENOTSOCK'],
      ] as const) {
        refused(descriptor, to, code);
        refused(from, descriptor, code);
      }
      refused(from, to, 'EINVAL', { idleTimeout: -1 });
      refused(from, to, 'EINVAL', { forward: new Uint8Array(1024 * 1024 + 1) });
      refused(from, to, 'EINVAL', { back: new Uint16Array(4) });
      assert.equal(descriptorCount(), before);
      closeSync(file);
      await halfClose(relayed, relayed.ends.first, relayed.ends.second);
    },
  },
  {
    name: 'relay: sockets that are not connected are broken off at once',
    run: async () => {
      const descriptors = [openSocket(AF_INET), openSocket(AF_INET)] as const;
      const relay = relayDescriptors(...descriptors, { idleTimeout: 0 });
      assert.equal((await relay.outcome).end, 'reset');
      for (const descriptor of descriptors) closeSocket(descriptor);
    },
  },
];
