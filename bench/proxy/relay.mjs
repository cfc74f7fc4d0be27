// Relays from a Unix socket to TCP: ours, socat and Node's own pipe, in turns, under the same load. Ours checks the
// allow-list, the address and the limits of each connection, and accounts for it; the others do not. "no relay" is the load
// by itself, over TCP: both ends of every relay use the same processors as the relay does.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { unixTransport, VMADDR_CID_PARENT } from '@nitro-enclaves/vsock';
import { describeMachine, median, printClaim } from '../side-by-side.mjs';

const ROUNDS = 5;
const START_MS = 30_000;
/** Of the clock by which Linux accounts for processor time. */
const TICK_MS = 10;
const GIB = 1024;
/**
 * What the load is asked for; how often in a round, where one turn is too short to tell; and whether all of it is kept on one
 * processor. A wake-up of another processor costs more than all that a relay does, in a virtual machine several times as
 * much, and whether there is one is the scheduler's whim: a median over both says nothing of the relay.
 */
const LOADS = {
  'bulk, 1 connection': { mode: 'bulk', connections: 1, amount: 512 },
  'bulk, 64 connections': { mode: 'bulk', connections: 64, amount: 3072 },
  'round trips, 1 connection': { mode: 'ping', connections: 1, amount: 200, times: 7 },
  'round trips, 64 connections': { mode: 'ping', connections: 64, amount: 40, times: 3 },
  'opened and closed, 64 at a time': { mode: 'open', connections: 64, amount: 320 },
  'round trips, 1, on one processor': { mode: 'ping', connections: 1, amount: 400, times: 3, isPinned: true },
};

const TITLES = Object.keys(LOADS);
/** Those on one processor come last: it is chosen for all of them at once. */
const TURNS = TITLES.flatMap((title) => Array(LOADS[title].times ?? 1).fill(title));

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
  const run = async (relay, { mode, connections, amount }) => {
    child.stdin.write(`${relay.path} ${relay.preface ?? '-'} ${mode} ${connections} ${amount}\n`);
    const { value = 'nothing' } = await lines.next();
    const [ms, roundTripUs] = value.split(' ').map(Number);
    if (!(ms > 0)) throw new Error(`expected figures of ${mode} over ${relay.path}, found ${value}`);
    return mode === 'ping' ? roundTripUs / 1000 : ms;
  };
  return { pid: child.pid, child, port, run };
}

async function startRelay(command, args, path) {
  const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  const deadline = performance.now() + START_MS;
  while (!existsSync(path) && child.exitCode === null && performance.now() < deadline) await sleep(20);
  if (!existsSync(path)) throw new Error(`expected ${command} to listen on ${path}, found it does not`);
  return child;
}

async function startRelays(folder, port, children) {
  const start = async (command, args, path) => {
    const child = await startRelay(command, args, path);
    children.push(child);
    return { path, pid: child.pid };
  };
  const socat = join(folder, 'socat');
  const pipe = join(folder, 'pipe');
  const ours = join(folder, `${VMADDR_CID_PARENT}.8000`);
  const listen = `UNIX-LISTEN:${socat},fork,backlog=1024`;
  return {
    'no relay': { path: '-' },
    socat: await start('socat', [listen, `TCP4:127.0.0.1:${port},nodelay`], socat),
    'net.pipe': await start(process.execPath, [source('relay/pipe.mjs'), pipe, String(port)], pipe),
    ours: {
      ...(await start(process.execPath, [source('relay/ours.mjs'), folder, String(port)], ours)),
      preface: await capturePreface(folder),
    },
  };
}

/** ms of processor time that a process has used, and those that it has waited for. */
function processorTime(pid) {
  if (pid === undefined) return 0;
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1).split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) * TICK_MS;
}

/** Keeps every thread of the processes, and those to come, on these processors. */
function keepOn(processors, pids) {
  for (const pid of pids) {
    // A thread that ends meanwhile is a failure to taskset.
    for (let tries = 10; spawnSync('taskset', ['-acp', processors, String(pid)], { stdio: 'ignore' }).status !== 0; ) {
      tries -= 1;
      if (tries === 0) throw new Error(`expected taskset to keep process ${pid} on processors ${processors}`);
    }
  }
}

/** One load over one relay: how long it took, and the processor time that relay and load used for it. */
async function takeTurn(load, relay, title) {
  const before = [processorTime(relay.pid), processorTime(load.pid)];
  const time = await load.run(relay, LOADS[title]);
  if (LOADS[title].mode === 'bulk') await sleep(100); // what a relay's children used is known when they have gone
  return { time, relayTime: processorTime(relay.pid) - before[0], loadTime: processorTime(load.pid) - before[1] };
}

/** Every load over every relay once a round, each round beginning with another; the first round warms up. */
async function measure(load, relays) {
  const names = Object.keys(relays);
  const pids = [load.pid, ...Object.values(relays).flatMap(({ pid }) => pid ?? [])];
  const turns = Object.fromEntries(names.map((name) => [name, Object.fromEntries(TITLES.map((title) => [title, []]))]));
  const all = `0-${availableParallelism() - 1}`;
  for (let round = 0; round <= ROUNDS; round += 1) {
    keepOn(all, pids);
    let isPinned = false;
    for (const title of TURNS) {
      if (LOADS[title].isPinned && !isPinned) keepOn('0', pids);
      isPinned ||= LOADS[title].isPinned;
      for (let index = 0; index < names.length; index += 1) {
        const name = names[(index + round) % names.length];
        const turn = await takeTurn(load, relays[name], title);
        if (round > 0) turns[name][title].push(turn);
      }
    }
  }
  const of = (some, what) => median(some.map((turn) => turn[what]));
  const medians = (some) => ({ time: of(some, 'time'), relay: of(some, 'relayTime'), load: of(some, 'loadTime') });
  return Object.fromEntries(
    names.map((name) => [name, Object.fromEntries(TITLES.map((title) => [title, medians(turns[name][title])]))]),
  );
}

function figure(title, ms) {
  const { mode, amount } = LOADS[title];
  if (mode === 'bulk') return `${((amount / ms) * 1000).toFixed(0).padStart(7)} MiB/s`;
  if (mode === 'ping') return `${(ms * 1000).toFixed(0).padStart(7)} µs   `;
  return `${((amount / ms) * 1000).toFixed(0).padStart(7)} per s`;
}

function printRow(name, cells) {
  console.log(name.padEnd(34) + cells.map((cell) => cell.padStart(15)).join(''));
}

const BULK = 'bulk, 64 connections';

function perGib(ms) {
  return `${((ms * GIB) / LOADS[BULK].amount).toFixed(0).padStart(7)} ms   `;
}

function print(medians) {
  const all = Object.values(medians);
  printRow('', Object.keys(medians));
  for (const title of TITLES)
    printRow(
      title,
      all.map((of) => figure(title, of[title].time)),
    );
  printRow(
    'processor time of 1 GiB: relay',
    all.map((of) => perGib(of[BULK].relay)),
  );
  printRow(
    'processor time of 1 GiB: both ends',
    all.map((of) => perGib(of[BULK].load)),
  );
}

/**
 * The floor of throughput is no relay at all: both ends share the processors with the relay, and are not surely twice as fast
 * by themselves as over socat. Many round trips at a time are compared as they are: they take less over some relays than
 * over none, since the scheduler lets one connection go on for longer.
 */
function printClaims({ 'no relay': direct, socat, 'net.pipe': pipe, ours }) {
  const [trip, pinnedTrip] = ['round trips, 1 connection', 'round trips, 1, on one processor'];
  const trips = 'round trips, 64 connections';
  const opened = 'opened and closed, 64 at a time';
  const added = (of, title) => Math.max(0, of[title].time - direct[title].time);
  const beside = (what, ratio) =>
    console.log(
      `${what}: ours ${ratio(ours).toFixed(2)}, net.pipe ${ratio(pipe).toFixed(2)}, no relay ${ratio(direct).toFixed(2)}`,
    );
  beside('throughput over that of socat, 64 connections', (of) => socat[BULK].time / of[BULK].time);
  const allProcessors = (of) => of[BULK].relay + of[BULK].load;
  beside('the most that processor time allows it to be', (of) => allProcessors(socat) / allProcessors(of));
  beside('connections a second over those of socat', (of) => socat[opened].time / of[opened].time);
  beside(
    'added round trip over that of socat, on one processor',
    (of) => added(of, pinnedTrip) / added(socat, pinnedTrip),
  );
  printClaim('bulk on 64 connections, time over socat', { ratio: ours[BULK].time / socat[BULK].time, atMost: 0.6 });
  printClaim('bulk on 64 connections, time over no relay', { ratio: ours[BULK].time / direct[BULK].time, atMost: 1 });
  printClaim('bulk on 64 connections, processor time over socat', {
    ratio: ours[BULK].relay / socat[BULK].relay,
    atMost: 0.4,
  });
  for (const title of [trip, pinnedTrip]) {
    printClaim(`${title}, added over socat`, { ratio: added(ours, title) / added(socat, title), atMost: 1.2 });
  }
  printClaim('round trips, 64 connections, over socat', { ratio: ours[trips].time / socat[trips].time, atMost: 1.2 });
}

async function main() {
  if (!isInstalled('socat', '-V')) return console.log('skipped: needs socat (Debian: apt-get install socat)');
  if (!isInstalled('taskset', '--version'))
    return console.log('skipped: needs taskset (Debian: apt-get install util-linux)');
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
