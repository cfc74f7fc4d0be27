// Relays from a Unix socket to TCP: ours, socat and Node's own pipe, in turns, under the same load. Ours checks the
// allow-list, the address and the limits of each connection, and accounts for it; the others do not.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { unixTransport, VMADDR_CID_PARENT } from '@nitro-enclaves/vsock';
import { describeMachine, median, printClaim } from '../side-by-side.mjs';

const ROUNDS = 7;
const START_MS = 30_000;
/** What the load is asked for: mode, connections, amount; how often in a round, where one turn is too short to tell. */
const LOADS = {
  'bulk, 1 connection': ['bulk', 1, 64],
  'bulk, 64 connections': ['bulk', 64, 512],
  'round trips, 1 connection': ['ping', 1, 200, 7],
  'round trips, 64 connections': ['ping', 64, 10, 3],
  'opened and closed, 64 at a time': ['open', 64, 320],
};

const TITLES = Object.keys(LOADS);
const TURNS = TITLES.flatMap((title) => Array(LOADS[title][3] ?? 1).fill(title));

function source(name) {
  return fileURLToPath(new URL(name, import.meta.url));
}

function isInstalled(command, flag) {
  return spawnSync(command, [flag], { stdio: 'ignore' }).status === 0;
}

/** The bytes by which our transport tells a listener who connects. */
async function capturePreface(folder) {
  const server = createServer().listen(join(folder, `${VMADDR_CID_PARENT}.1`));
  await once(server, 'listening');
  const connecting = unixTransport({ folder, cid: 16 }).connect({ cid: VMADDR_CID_PARENT, port: 1 });
  const [accepted] = await once(server, 'connection');
  const [bytes] = await once(accepted, 'data');
  (await connecting).destroy();
  server.close();
  return bytes.toString('hex');
}

/** The two ends of every relay, in one process of C. */
async function startLoad(program) {
  const child = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const port = Number((await lines.next()).value);
  const run = async (relay, [mode, connections, amount]) => {
    child.stdin.write(`${relay.path} ${relay.preface ?? '-'} ${mode} ${connections} ${amount}\n`);
    const { value = 'nothing' } = await lines.next();
    const [ms, roundTripUs] = value.split(' ').map(Number);
    if (!(ms > 0)) throw new Error(`expected figures of ${mode} over ${relay.path}, found ${value}`);
    return mode === 'ping' ? roundTripUs / 1000 : ms;
  };
  return { child, port, run };
}

async function startRelay(command, args, path) {
  const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  const deadline = performance.now() + START_MS;
  while (!existsSync(path) && child.exitCode === null && performance.now() < deadline) await sleep(20);
  if (!existsSync(path)) throw new Error(`expected ${command} to listen on ${path}, found it does not`);
  return child;
}

async function startRelays(folder, port, children) {
  const socat = join(folder, 'socat');
  const pipe = join(folder, 'pipe');
  const ours = join(folder, `${VMADDR_CID_PARENT}.8000`);
  const listen = `UNIX-LISTEN:${socat},fork,backlog=1024`;
  children.push(await startRelay('socat', [listen, `TCP4:127.0.0.1:${port},nodelay`], socat));
  children.push(await startRelay(process.execPath, [source('relay/pipe.mjs'), pipe, String(port)], pipe));
  children.push(await startRelay(process.execPath, [source('relay/ours.mjs'), folder, String(port)], ours));
  return {
    'no relay': { path: '-' },
    socat: { path: socat },
    'net.pipe': { path: pipe },
    ours: { path: ours, preface: await capturePreface(folder) },
  };
}

/** Every load over every relay once a round, each round beginning with another; the first round warms up. */
async function measure(load, relays) {
  const names = Object.keys(relays);
  const times = Object.fromEntries(names.map((name) => [name, Object.fromEntries(TITLES.map((title) => [title, []]))]));
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const title of TURNS) {
      for (let index = 0; index < names.length; index += 1) {
        const name = names[(index + round) % names.length];
        const time = await load.run(relays[name], LOADS[title]);
        if (round > 0) times[name][title].push(time);
      }
    }
  }
  const medians = (of) => Object.fromEntries(TITLES.map((title) => [title, median(of[title])]));
  return Object.fromEntries(names.map((name) => [name, medians(times[name])]));
}

function figure(title, ms) {
  const [mode, , amount] = LOADS[title];
  if (mode === 'bulk') return `${((amount / ms) * 1000).toFixed(0).padStart(7)} MiB/s`;
  if (mode === 'ping') return `${(ms * 1000).toFixed(0).padStart(7)} µs   `;
  return `${((amount / ms) * 1000).toFixed(0).padStart(7)} per s`;
}

function print(medians) {
  console.log(
    ''.padEnd(34) +
      Object.keys(medians)
        .map((name) => name.padStart(15))
        .join(''),
  );
  for (const title of TITLES) {
    const row = Object.values(medians).map((of) => figure(title, of[title]).padStart(15));
    console.log(title.padEnd(34) + row.join(''));
  }
}

/**
 * Claims are against net.pipe, the floor of whatever is made of Node's sockets: one thread on which each piece costs a turn
 * of the event loop and a new buffer of 64 KiB, where socat has a process and a select() of its own for each connection. So
 * the floor is told of beside socat too. What ours has above it: the checks and the account of each connection, the idle
 * timer, and a larger heap, which every collection of spent buffers walks.
 */
function printClaims({ 'no relay': direct, socat, 'net.pipe': pipe, ours }) {
  const [bulk, trip, opened] = ['bulk, 64 connections', 'round trips, 1 connection', 'opened and closed, 64 at a time'];
  const added = (of) => of[trip] - direct[trip];
  const beside = (what, mine, floor) => console.log(`${what}: ours ${mine.toFixed(2)}, net.pipe ${floor.toFixed(2)}`);
  beside('throughput over that of socat, 64 connections', socat[bulk] / ours[bulk], socat[bulk] / pipe[bulk]);
  beside('connections a second over those of socat', socat[opened] / ours[opened], socat[opened] / pipe[opened]);
  beside('added round trip over that of socat', added(ours) / added(socat), added(pipe) / added(socat));
  printClaim('bulk on 64 connections, time over net.pipe', { ratio: ours[bulk] / pipe[bulk], atMost: 2 });
  printClaim('added round trip over that of net.pipe', { ratio: added(ours) / added(pipe), atMost: 1.3 });
}

async function main() {
  if (!isInstalled('socat', '-V')) return console.log('skipped: needs socat (Debian: apt-get install socat)');
  if (!isInstalled('gcc', '--version')) return console.log('skipped: needs gcc (Debian: apt-get install gcc)');
  console.log(describeMachine());
  const folder = await mkdtemp(join(tmpdir(), 'bench-'));
  const children = [];
  try {
    const program = join(folder, 'load');
    execFileSync('gcc', ['-O2', '-pthread', '-o', program, source('load.c')], { timeout: 60_000 });
    const load = await startLoad(program);
    children.push(load.child);
    const medians = await measure(load, await startRelays(folder, load.port, children));
    print(medians);
    printClaims(medians);
  } finally {
    for (const child of children) child.kill();
    await rm(folder, { recursive: true, force: true });
  }
}

await main();
