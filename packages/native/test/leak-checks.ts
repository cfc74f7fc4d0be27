import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { closeSocket, openNsmDevice } from '@nitro-enclaves/native';
import { nativeTransport } from '../../vsock/src/native-transport.ts';
import { relaySockets } from '../../vsock/src/relay.ts';
import type { VsockSocket } from '../../vsock/src/socket.ts';
import type { Transport } from '../../vsock/src/transport.ts';
import { unixFamily } from '../../vsock/test/unix-family.ts';
import type { Check } from './check.ts';
import { descriptorCount, ROUNDS, until, WORKERS } from './check.ts';
import { AF_UNIX, unixName } from './names.ts';
import { closeListening, connectTo, fullListener, listenOn, startConnecting } from './sockets.ts';

const AT_ONCE = 50;

/** Does `round` over and over, some at a time, and finds as many descriptors open afterwards as before. */
async function leavesNothing(rounds: number, round: () => Promise<void>): Promise<void> {
  await round();
  const before = descriptorCount();
  for (let done = 0; done < rounds; done += AT_ONCE) await Promise.all(Array.from({ length: AT_ONCE }, round));
  await until(() => descriptorCount() <= before);
}

/** A Unix socket's queue can be full, which says so instead of waiting. */
function isFull(error: Error): void {
  assert.equal(Reflect.get(error, 'code'), 'EAGAIN');
}

async function connectWhenThereIsRoom(name: Uint8Array): Promise<number> {
  for (;;) {
    const descriptor = await connectTo(name).catch(isFull);
    if (descriptor !== undefined) return descriptor;
  }
}

async function runWorker(mode: 'exit' | 'terminate', fullName: Uint8Array): Promise<void> {
  const worker = new Worker(new URL(import.meta.url), { workerData: { mode, fullName } });
  if (mode === 'terminate') {
    await once(worker, 'message');
    await worker.terminate();
  } else {
    await once(worker, 'exit');
  }
}

function connectHalfOpen(machine: Transport): Promise<VsockSocket> {
  return machine.connect({ cid: 16, port: 1, allowHalfOpen: true });
}

/** What a worker does: leaves everything open that there is. */
export async function abandonEverything(fullName: Uint8Array, tell: () => void): Promise<void> {
  const machine = nativeTransport(unixFamily(16));
  const server = machine.createServer();
  await server.listen({ port: 1 });
  for (let index = 0; index < 5; index += 1) await machine.connect({ cid: 16, port: 1 });
  for (let index = 0; index < 5; index += 1) {
    const [from, to] = [await connectHalfOpen(machine), await connectHalfOpen(machine)];
    relaySockets(from, to, 60_000);
  }
  for (let index = 0; index < 5; index += 1) startConnecting(fullName);
  for (let index = 0; index < 5; index += 1) machine.connect({ cid: 16, port: 1 });
  openNsmDevice('/dev/null')
    .request(Uint8Array.of(1))
    .catch(() => {});
  tell();
}

export const leakChecks: readonly Check[] = [
  {
    name: 'connections leave no descriptor behind',
    run: async () => {
      const listening = listenOn(AF_UNIX, { keep: false });
      await leavesNothing(ROUNDS, async () => closeSocket(await connectWhenThereIsRoom(listening.name)));
      await closeListening(listening);
    },
  },
  {
    name: 'refusals leave no descriptor behind',
    run: () => leavesNothing(ROUNDS, () => assert.rejects(connectTo(unixName('nobody')), { code: 'ECONNREFUSED' })),
  },
  {
    name: 'cancels leave no descriptor behind, whether they come in time or not',
    run: async () => {
      const listening = listenOn(AF_UNIX, { keep: false });
      let round = 0;
      await leavesNothing(ROUNDS, async () => {
        const { connection, cancel } = startConnecting(listening.name);
        connection.then(closeSocket, isFull);
        round += 1;
        if (round % 2 === 0) await new Promise(setImmediate);
        cancel();
      });
      await closeListening(listening);
    },
  },
  {
    name: 'listeners leave no descriptor behind, nor what came while they closed',
    run: () =>
      leavesNothing(ROUNDS, async () => {
        const listening = listenOn(AF_UNIX);
        const connection = connectTo(listening.name).then(closeSocket, () => {});
        await closeListening(listening);
        await connection;
      }),
  },
  {
    name: 'workers that end, or are ended, leave no descriptor behind',
    run: async () => {
      const full = await fullListener();
      await runWorker('exit', full.name);
      const before = descriptorCount();
      for (let done = 0; done < WORKERS; done += 1) await runWorker(done % 2 === 0 ? 'exit' : 'terminate', full.name);
      await until(() => descriptorCount() <= before);
      await full.close();
    },
  },
];
