// Our sockets beside a C program that does the same, over AF_VSOCK loopback (CID 1): for a machine that has it, such as
// the QEMU guest. Bundle it, give it the compiled loopback.c:
//   node loopback.mjs <path of the C program> [MiB] [pings] [rounds]
// Prints one line of JSON: medians in ms of each case, and of the rounds' ratios to C.
import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { VMADDR_CID_LOCAL, vsockTransport } from '@nitro-enclaves/vsock';

const NODE_PORT = 7100;
const C_PORT = 7200;
const PLAIN_PATH = '/tmp/loopback.sock';
const PIECE = Buffer.alloc(64 * 1024);
/** The kernel's default for a vsock socket (VIRTIO_VSOCK_DEFAULT_BUF_SIZE and net/vmw_vsock/af_vsock.c). */
const BUFFER_BYTES = 256 * 1024;
/**
 * An emulated processor needs thousands of turns until V8 has compiled what runs, and QEMU what V8 made. Rounds like those
 * that count, since new closures have V8 compile anew.
 */
const WARM_UP_ROUNDS = 6;

function median(values) {
  return [...values].sort((left, right) => left - right)[values.length >> 1];
}

/** The other end, in a process of its own as that of C is: sinks `size` bytes, answers one, then echoes. */
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

/** Keeps as much on its way as a vsock socket's buffer takes, which C fills as well. */
function send(socket, pieces) {
  let left = pieces;
  const writeOn = () => {
    while (left > 0 && socket.writableLength < BUFFER_BYTES) {
      left -= 1;
      socket.write(PIECE);
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

const NODE_CASES = {
  ours: () => vsockTransport().connect({ cid: VMADDR_CID_LOCAL, port: NODE_PORT }),
  plainUnix: async () => connect(PLAIN_PATH),
};
const C_CASES = { c: ['epoll', 'vsock'], cUnix: ['epoll', 'unix'], cBlocking: ['blocking', 'vsock'] };

async function measure(program, mebibytes, pings, rounds) {
  const server = fork(fileURLToPath(import.meta.url), ['serve', String(mebibytes * 2 ** 20)]);
  await once(server, 'message');
  for (const [processor, { pid }] of [process, server].entries())
    execFileSync(program, ['on', processor, pid].map(String));
  for (let round = 0; round < WARM_UP_ROUNDS; round += 1) {
    for (const open of Object.values(NODE_CASES)) await measureSocket(await open(), mebibytes, pings);
  }
  const runs = [];
  for (let round = 0; round < rounds; round += 1) {
    const run = {};
    for (const [name, kind] of Object.entries(C_CASES)) {
      const port = C_PORT + round * 10 + Object.keys(run).length;
      run[name] = JSON.parse(
        execFileSync(program, [...kind, port, mebibytes, pings].map(String), { encoding: 'utf8' }),
      );
    }
    for (const [name, open] of Object.entries(NODE_CASES))
      run[name] = await measureSocket(await open(), mebibytes, pings);
    runs.push(run);
  }
  server.disconnect();
  const medianOf = (figure) => median(runs.map(figure));
  const cases = [...Object.keys(C_CASES), ...Object.keys(NODE_CASES)].map((name) => [
    name,
    { bulkMs: medianOf((run) => run[name].bulkMs), pingMs: medianOf((run) => run[name].pingMs) },
  ]);
  // Of each round the ratio: what disturbs one case disturbs the others.
  const over = (name) => ({
    throughput: medianOf((run) => run[name].bulkMs / run.ours.bulkMs),
    roundTrip: medianOf((run) => run.ours.pingMs / run[name].pingMs),
  });
  console.log(JSON.stringify({ cases: Object.fromEntries(cases), overC: over('c'), overBlockingC: over('cBlocking') }));
}

const [first, mebibytes = '64', pings = '2000', rounds = '5'] = process.argv.slice(2);
if (first === 'serve') await serve(Number(mebibytes));
else await measure(first, Number(mebibytes), Number(pings), Number(rounds));
