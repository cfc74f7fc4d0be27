// Bundled into one file and run as a process of its own, for what is true of processes, threads and clusters only.
// Usage: node scenario.mjs <name> <kind of transport> <folder or scope>
import cluster from 'node:cluster';
import { once } from 'node:events';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type { Transport, VsockServer } from '@nitro-enclaves/vsock';
import { unixTransport } from '@nitro-enclaves/vsock';
import { readAll } from '../src/conformance/conformance-test.ts';
import { nativeTransport } from '../src/native-transport.ts';
import { unixFamily } from './unix-family.ts';

const [, script = '', name = '', kind = '', place = ''] = process.argv;

function machine(cid: number): Transport {
  return kind === 'unix' ? unixTransport({ folder: place, cid }) : nativeTransport(unixFamily(cid, place));
}

async function echo(port: number, text: string): Promise<string> {
  const socket = await machine(3).connect({ cid: 16, port });
  socket.end(text);
  return (await readAll(socket)).toString();
}

function echoServer() {
  return machine(16).createServer({}, (socket) => socket.pipe(socket));
}

interface Destroyable {
  destroy(): unknown;
}

function connections(server: VsockServer): Promise<number> {
  return new Promise((resolve) => {
    server.getConnections((_, count) => resolve(count));
  });
}

/** Runs after a while, only if something else keeps the process alive until then. */
function ifStillAlive(action: () => void): void {
  setTimeout(action, 300).unref();
}

const SCENARIOS: Record<string, () => Promise<void>> = {
  'listening server': async () => {
    const server = await echoServer().listen({ port: 1 });
    ifStillAlive(() => {
      console.log('alive');
      server.close();
    });
  },
  'server without ref': async () => {
    const server = await echoServer().listen({ port: 1 });
    server.unref();
    ifStillAlive(() => console.log('alive'));
  },
  'server without ref before it listens': async () => {
    await echoServer().unref().listen({ port: 1 });
    ifStillAlive(() => console.log('alive'));
  },
  'server with ref again': async () => {
    const server = await echoServer().unref().listen({ port: 1 });
    server.ref();
    ifStillAlive(() => {
      console.log('alive');
      server.close();
    });
  },
  'open connection': async () => {
    const server = await machine(16)
      .createServer({}, (socket) => socket.unref())
      .listen({ port: 1 });
    const socket = await machine(3).connect({ cid: 16, port: 1 });
    server.unref();
    ifStillAlive(() => {
      console.log('alive');
      socket.destroy();
    });
  },
  'connection without ref': async () => {
    const server = await machine(16)
      .createServer({}, (socket) => socket.unref())
      .listen({ port: 1 });
    (await machine(3).connect({ cid: 16, port: 1 })).unref();
    server.unref();
    ifStillAlive(() => console.log('alive'));
  },
  'many writes': async () => {
    const server = await echoServer().listen({ port: 1 });
    const socket = await machine(3).connect({ cid: 16, port: 1 });
    const lines = Array.from({ length: 2000 }, (_, index) => `${index} ${'x'.repeat((index % 10) * 1000)}\n`);
    const answer = readAll(socket);
    for (const line of lines) {
      socket.write(line);
      if (line.length < 1000) await new Promise(setImmediate);
    }
    socket.end();
    console.log((await answer).toString() === lines.join('') ? 'whole' : 'broken');
    server.close();
  },
  'out of descriptors': async () => {
    const server = await echoServer()
      .on('error', () => {})
      .listen({ port: 1 });
    const open: Destroyable[] = [];
    let code: unknown;
    while (code === undefined) {
      const socket = await machine(3)
        .connect({ cid: 16, port: 1, timeout: 5000 })
        .catch((error) => {
          code = error.code;
        });
      if (socket) open.push(socket.on('error', () => {}));
    }
    const before = open.length;
    for (const socket of open) socket.destroy();
    while ((await connections(server)) > 0) await new Promise((resolve) => setTimeout(resolve, 20));
    console.log(code === 'EMFILE' || code === 'ECONNREFUSED', before > 3, await echo(1, 'alive'));
    server.close();
  },
  'worker threads': async () => {
    const server = await echoServer().listen({ port: 1 });
    const workers = Array.from({ length: 4 }, (_, index) => {
      const argv = process.argv.slice(2);
      return new Worker(script, { argv, workerData: index === 0 ? { serve: 2 } : { ask: `worker ${index}` } });
    });
    const [, ...answers] = await Promise.all(workers.map(async (worker) => (await once(worker, 'message'))[0]));
    answers.push(await echo(2, 'to the worker'));
    console.log(answers.join(', '));
    await workers[0]?.terminate();
    server.close();
  },
  cluster: async () => {
    cluster.setupPrimary({ exec: script, args: process.argv.slice(2) });
    const workers = [cluster.fork(), cluster.fork()];
    const ports: number[] = await Promise.all(workers.map(async (worker) => (await once(worker, 'message'))[0]));
    const answers = await Promise.all(ports.map((port) => echo(port, 'to a worker')));
    const second = workers[1];
    second?.send(ports[0] ?? 0);
    if (second !== undefined) answers.push((await once(second, 'message'))[0]);
    console.log(answers.join(', '));
    for (const worker of workers) worker.kill();
  },
};

async function runThread({ serve, ask }: { serve?: number; ask?: string }): Promise<void> {
  if (serve !== undefined) await echoServer().listen({ port: serve });
  parentPort?.postMessage(ask === undefined ? 'listening' : await echo(1, ask));
}

async function runClusterWorker(): Promise<void> {
  const server = await echoServer().listen({ port: 0 });
  process.send?.(server.address()?.port);
  const [taken] = await once(process, 'message');
  const outcome = await echoServer()
    .listen({ port: taken })
    .catch((error) => error.code);
  process.send?.(outcome);
}

if (!isMainThread) await runThread(workerData);
else if (cluster.isWorker) await runClusterWorker();
else await SCENARIOS[name]?.();
