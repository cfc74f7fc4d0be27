// `pnpm fuzz [seconds] [target…]`: spoils good inputs of every decoder and holds it to its promises: only its own error
// classes, no input that takes long, memory that does not grow. `--runs N` stops after N inputs a target in place of a
// time, and `--seed N` chooses the inputs: the same seed and runs give the same inputs.
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { TARGET_NAMES } from './targets.mjs';

/** An input that takes longer is a hang: a decoder takes well under a millisecond. Wide, for a busy machine. */
const HANG_MILLISECONDS = 10_000;
/** What garbage collection and caches of the runtime may leave between two measurements. */
const GROWTH_BYTES = 16 * 2 ** 20;
const LONGEST_INPUT = 2 ** 20;

function readNumber(text, what) {
  const number = Number(text);
  if (Number.isFinite(number) && number > 0) return number;
  console.error(`expected ${what} as a positive number, found ${JSON.stringify(text)}`);
  process.exit(2);
}

function readArguments() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { runs: { type: 'string' }, seed: { type: 'string', default: '1' } },
  });
  const [first, ...others] = positionals;
  const timed = first !== undefined && /^[\d.]+$/.test(first);
  const names = timed || first === undefined ? others : [first, ...others];
  for (const name of names.filter((name) => !TARGET_NAMES.includes(name))) {
    console.error(`expected targets of ${TARGET_NAMES.join(', ')}; found ${name}`);
    process.exit(2);
  }
  const chosen = names.length > 0 ? names : TARGET_NAMES;
  const seconds = readNumber(timed ? first : '60', 'seconds');
  return {
    chosen,
    count: values.runs === undefined ? Number.MAX_SAFE_INTEGER : readNumber(values.runs, 'runs'),
    milliseconds: values.runs === undefined ? (seconds * 1000) / chosen.length : Number.MAX_SAFE_INTEGER,
    seed: readNumber(values.seed, 'a seed'),
  };
}

/** Runs one target in a worker; settles with its account, or with what went wrong. */
function fuzz(name, limits) {
  const progress = new SharedArrayBuffer(8);
  const input = new SharedArrayBuffer(LONGEST_INPUT);
  const current = new Int32Array(progress);
  const worker = new Worker(new URL('worker.mjs', import.meta.url), {
    workerData: { name, ...limits, progress, input },
    resourceLimits: { maxOldGenerationSizeMb: 1024 },
  });
  const inputAtWork = () => new Uint8Array(input).slice(0, current[1]);
  let last = 0;
  let lastChange = performance.now();
  return new Promise((resolve) => {
    const watchdog = setInterval(() => {
      const run = Atomics.load(current, 0);
      if (run !== last) lastChange = performance.now();
      last = run;
      if (run === 0 || performance.now() - lastChange < HANG_MILLISECONDS) return;
      worker.terminate();
      settle({ failure: `an input took more than ${HANG_MILLISECONDS} ms`, bytes: inputAtWork() });
    }, 500);
    const settle = (result) => {
      clearInterval(watchdog);
      resolve(result);
    };
    worker.once('message', settle);
    worker.once('error', (error) => settle({ failure: error.stack ?? String(error), bytes: inputAtWork() }));
    worker.once('exit', () => settle({ failure: 'the worker ended without an account', bytes: inputAtWork() }));
  });
}

function describeFailure(name, { failure, bytes }) {
  const file = join(tmpdir(), `fuzz-${name}-${Date.now()}.bin`);
  writeFileSync(file, bytes);
  return `FAIL  ${name}: ${failure}\n      input of ${bytes.length} bytes kept as ${file}`;
}

function describeAccount(name, { runs, codes, worst, growth }, elapsed) {
  const rate = Math.round(runs / elapsed);
  const outcomes = codes.map(([code, count]) => `${code} ${count}`).join(', ');
  const grown = `${(growth / 2 ** 20).toFixed(1)} MiB`;
  return `ok    ${name}: ${runs} inputs, ${rate} a second, longest ${worst.toFixed(1)} ms, memory ${grown}\n      ${outcomes}`;
}

const { chosen, ...limits } = readArguments();
let total = 0;
for (const name of chosen) {
  const start = performance.now();
  const result = await fuzz(name, limits);
  const failed = result.failure !== undefined;
  if (failed) console.log(describeFailure(name, result));
  else console.log(describeAccount(name, result, (performance.now() - start) / 1000));
  const grew = !failed && result.growth > GROWTH_BYTES;
  if (grew) console.log(`FAIL  ${name}: memory grew`);
  if (failed || grew) process.exitCode = 1;
  total += result.runs ?? 0;
}
console.log(`${total} inputs, seed ${limits.seed}`);
