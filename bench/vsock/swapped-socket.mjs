// What the descriptor swap costs: the same bytes over Unix sockets, once by Node's own `net`, once by sockets that are made
// as those of AF_VSOCK are (accepted and connected by the addon, then swapped in). The other end is a process of its own.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect as connectNet } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { describeMachine, median, printClaim } from '../side-by-side.mjs';
import { swappedTransport } from './swap/swapped-transport.mjs';

const ROUNDS = 41;
const CHUNK = Buffer.alloc(64 * 1024, 7);
const BULK_CHUNKS = 1024;
const TLS_CHUNKS = 256;
const PINGS = 2000;

const server = fork(new URL('swap/server-process.mjs', import.meta.url));
const [{ scope, path, certificate }] = await once(server, 'message');
const transport = swappedTransport(scope);

const CONNECT = {
  async plain(service) {
    const socket = connectNet(`${path}.${service}`);
    await once(socket, 'connect');
    return socket;
  },
  swapped: (service) => transport.connect({ cid: 16, port: service }),
};

/** Sends `count` chunks and waits for the one byte that says that all have arrived. */
async function send(socket, count) {
  const arrived = once(socket, 'data');
  for (let index = 0; index < count; index += 1) {
    if (!socket.write(CHUNK)) await once(socket, 'drain');
  }
  socket.end();
  await arrived;
  socket.destroy();
}

const MEASURES = {
  'throughput, 64 MiB in writes of 64 KiB': async (connect) => {
    const socket = await connect(1);
    return () => send(socket, BULK_CHUNKS);
  },
  'round trip, 2000 times one byte': async (connect) => {
    const socket = await connect(2);
    return async () => {
      let left = PINGS;
      await new Promise((resolve) => {
        socket.on('data', () => {
          left -= 1;
          if (left === 0) resolve();
          else socket.write('x');
        });
        socket.write('x');
      });
      socket.destroy();
    };
  },
  'TLS, 16 MiB in writes of 64 KiB': async (connect) => {
    const socket = connectTls({ socket: await connect(3), ca: certificate, servername: 'localhost' });
    await once(socket, 'secureConnect');
    return () => send(socket, TLS_CHUNKS);
  },
};

async function measure(prepare, connect) {
  const run = await prepare(connect);
  const start = performance.now();
  await run();
  return performance.now() - start;
}

console.log(describeMachine());
for (const [name, prepare] of Object.entries(MEASURES)) {
  const times = { plain: [], swapped: [] };
  for (let round = -4; round < ROUNDS; round += 1) {
    // Each goes first in every other round.
    const order = round % 2 === 0 ? ['plain', 'swapped'] : ['swapped', 'plain'];
    for (const kind of order) {
      const time = await measure(prepare, CONNECT[kind]);
      if (round >= 0) times[kind].push(time);
    }
  }
  const [plain, swapped] = [median(times.plain), median(times.swapped)];
  console.log(`${name}: plain net ${plain.toFixed(1)} ms, swapped ${swapped.toFixed(1)} ms`);
  // Of each round the ratio: what disturbs one of a pair disturbs the other.
  printClaim(name, { ratio: median(times.swapped.map((time, round) => time / times.plain[round])), atMost: 1.05 });
}
server.disconnect();
