// Our sockets beside a C program that does the same, over AF_VSOCK loopback (CID 1): for a machine that has it, such as
// the QEMU guest. Bundle it, give it the compiled loopback.c:
//   node loopback.mjs <path of the C program> [MiB] [pings] [rounds]
// Prints one line of JSON: medians in ms, the throughput over C's, and the round trip over C's.
import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { VMADDR_CID_LOCAL, vsockTransport } from '@nitro-enclaves/vsock';

const NODE_PORT = 7100;
const C_PORT = 7200;
const PLAIN_PATH = '/tmp/loopback.sock';
const PIECE = Buffer.alloc(64 * 1024);

function median(values) {
  return [...values].sort((left, right) => left - right)[values.length >> 1];
}

/** The other end, in a process of its own: sinks `size` bytes, answers one, then echoes. */
async function serve(size) {
  const answer = (socket) => {
    let left = size;
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      if (left <= 0) socket.write(chunk);
      left -= chunk.length;
      if (left === 0) socket.write('x');
    });
  };
  await vsockTransport().createServer({}, answer).listen({ port: NODE_PORT });
  await once(createServer(answer).listen(PLAIN_PATH), 'listening');
  process.send('listening');
  process.once('disconnect', () => process.exit());
}

function send(socket, pieces) {
  let left = pieces;
  const writeOn = () => {
    while (left > 0) {
      left -= 1;
      if (!socket.write(PIECE)) return;
    }
  };
  socket.on('drain', writeOn);
  writeOn();
}

async function measureSocket(socket, mebibytes, pings) {
  const begun = performance.now();
  send(socket, mebibytes * 16);
  await once(socket, 'data');
  const sent = performance.now();
  await new Promise((resolve) => {
    let left = pings;
    socket.on('data', () => {
      left -= 1;
      if (left === 0) resolve();
      else socket.write('x');
    });
    socket.write('x');
  });
  const done = performance.now();
  socket.destroy();
  return { bulkMs: sent - begun, pingMs: done - sent };
}

async function measure(program, mebibytes, pings, rounds) {
  const size = mebibytes * 2 ** 20;
  const server = fork(fileURLToPath(import.meta.url), ['serve', String(size)]);
  await once(server, 'message');
  const [c, node, plain] = [[], [], []];
  for (let round = 0; round < rounds; round += 1) {
    c.push(JSON.parse(execFileSync(program, [C_PORT + round, mebibytes, pings].map(String), { encoding: 'utf8' })));
    const swapped = await vsockTransport().connect({ cid: VMADDR_CID_LOCAL, port: NODE_PORT });
    node.push(await measureSocket(swapped, mebibytes, pings));
    plain.push(await measureSocket(connect(PLAIN_PATH), mebibytes, pings));
  }
  server.disconnect();
  const of = (runs, name) => median(runs.map((run) => run[name]));
  console.log(
    JSON.stringify({
      c: { bulkMs: of(c, 'bulkMs'), pingMs: of(c, 'pingMs') },
      node: { bulkMs: of(node, 'bulkMs'), pingMs: of(node, 'pingMs') },
      plain: { bulkMs: of(plain, 'bulkMs'), pingMs: of(plain, 'pingMs') },
      throughputOverC: of(c, 'bulkMs') / of(node, 'bulkMs'),
      roundTripOverC: of(node, 'pingMs') / of(c, 'pingMs'),
    }),
  );
}

const [first, mebibytes = '64', pings = '2000', rounds = '5'] = process.argv.slice(2);
if (first === 'serve') await serve(Number(mebibytes));
else await measure(first, Number(mebibytes), Number(pings), Number(rounds));
