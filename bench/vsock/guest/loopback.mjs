// Runs inside an enclave: our sockets and a C program do the same to the same C peer, over the kernel's loopback.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { vsockTransport } from '@nitro-enclaves/vsock';
import { describeMachine, median, printClaim } from '../../side-by-side.mjs';

const PEER = '/usr/bin/vsock-peer';
const PORT = { SINK: 7001, ECHO: 7002 };
const ROUNDS = 9;
const MEBIBYTES = 32;
const PINGS = 1000;
const CHUNK = Buffer.alloc(64 * 1024);
const VMADDR_CID_LOCAL = 1;

const transport = vsockTransport();
const run = promisify(execFile);

/** Nanoseconds that the C program takes. */
async function inC(...args) {
  const { stdout } = await run(PEER, args.map(String));
  return Number(stdout);
}

async function open(port) {
  for (let tries = 0; ; tries += 1) {
    try {
      return await transport.connect({ cid: VMADDR_CID_LOCAL, port, allowHalfOpen: true });
    } catch (error) {
      if (tries > 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

async function send() {
  const socket = await open(PORT.SINK);
  const start = process.hrtime.bigint();
  const answered = once(socket, 'data');
  for (let left = MEBIBYTES * 16; left > 0; left -= 1) {
    if (!socket.write(CHUNK)) await once(socket, 'drain');
  }
  socket.end();
  await answered;
  const time = Number(process.hrtime.bigint() - start);
  socket.destroy();
  return time;
}

async function ping() {
  const socket = await open(PORT.ECHO);
  const start = process.hrtime.bigint();
  await new Promise((resolve) => {
    let left = PINGS;
    socket.on('data', () => {
      left -= 1;
      if (left === 0) resolve();
      else socket.write('x');
    });
    socket.write('x');
  });
  const time = Number(process.hrtime.bigint() - start);
  socket.destroy();
  return time;
}

/** Medians in ns; each goes first in every other round, and the first two rounds only warm up. */
async function compare(ours, theirs) {
  const times = { ours: [], theirs: [] };
  const work = { ours, theirs };
  for (let round = -2; round < ROUNDS; round += 1) {
    for (const kind of round % 2 === 0 ? ['ours', 'theirs'] : ['theirs', 'ours']) {
      const time = await work[kind]();
      if (round >= 0) times[kind].push(time);
    }
  }
  return { ours: median(times.ours), theirs: median(times.theirs) };
}

const servers = Object.entries(PORT).map(([service, port]) => spawn(PEER, [service.toLowerCase(), String(port)]));
(await open(PORT.SINK)).destroy();
(await open(PORT.ECHO)).destroy();

console.log(describeMachine());
const throughput = await compare(send, () => inC('send', PORT.SINK, MEBIBYTES));
const rate = (nanoseconds) => `${(MEBIBYTES / (nanoseconds / 1e9)).toFixed(0)} MiB/s`;
console.log(`${MEBIBYTES} MiB in writes of 64 KiB: ours ${rate(throughput.ours)}, C ${rate(throughput.theirs)}`);
printClaim('time of a transfer against C', { ratio: throughput.ours / throughput.theirs, atMost: 1 / 0.8 });
const trip = await compare(ping, () => inC('ping', PORT.ECHO, PINGS));
const each = (nanoseconds) => `${(nanoseconds / 1000 / PINGS).toFixed(0)} µs`;
console.log(`round trip of one byte: ours ${each(trip.ours)}, C ${each(trip.theirs)}`);
printClaim('round trip against C', { ratio: trip.ours / trip.theirs, atMost: 2 });
for (const server of servers) server.kill();
