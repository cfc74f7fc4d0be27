// One target, run in a worker thread until its count or its time is over. The input at work lies in shared memory, so
// that the watchdog outside can show the one that hangs.
import { setTimeout } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { parentPort, workerData } from 'node:worker_threads';
import { mutate } from './mutate.mjs';
import { Random } from './random.mjs';
import { loadTarget } from './targets.mjs';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc');

/** Most inputs kept because they showed something new. */
const LARGEST_CORPUS = 2000;

const { name, seed, count, milliseconds, progress, input } = workerData;
const target = await loadTarget(name);
const runs = new Int32Array(progress);
const shared = new Uint8Array(input);
const longest = Math.min(target.longest ?? 16_384, shared.length);

/** Without the corpus, which is ours. Array buffers are given back a moment after a collection found them. */
async function memoryInUse() {
  for (let round = 0; round < 3; round += 1) {
    collectGarbage();
    await setTimeout(10);
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external - corpus.reduce((bytes, input) => bytes + input.length, 0);
}

/** What an input showed: a new one is worth spoiling further. */
async function outcomeOf(bytes) {
  try {
    const outcome = await target.run(bytes);
    return typeof outcome === 'string' ? outcome : 'accepted';
  } catch (error) {
    if (!target.errors.some((allowed) => error instanceof allowed)) throw error;
    return `${error.code} ${error.path ?? ''} ${Math.min(error.offset ?? 0, 1024)}`;
  }
}

/** What went wrong, with its stack, which the first run did not make. */
async function describeFailure(bytes, error) {
  Error.stackTraceLimit = 20;
  try {
    await target.run(bytes.slice());
  } catch (again) {
    return again?.stack ?? String(again);
  }
  return `${error}, but not when it was run again`;
}

const random = new Random(seed);
const seeds = await target.seeds();
for (const bytes of seeds) await target.run(bytes.slice());
const corpus = [...seeds];
const seen = new Set();
const codes = new Map();
const end = performance.now() + milliseconds;
// To make the stack of a refusal takes about as long as the decoding.
Error.stackTraceLimit = 0;
let worst = 0;
let warm = 0;

for (let run = 1; run <= count && performance.now() < end; run += 1) {
  const bytes = mutate({ random, seeds, corpus, tokens: target.tokens, longest });
  shared.set(bytes);
  runs[1] = bytes.length;
  Atomics.store(runs, 0, run);
  const start = performance.now();
  let outcome;
  try {
    outcome = await outcomeOf(bytes);
  } catch (error) {
    parentPort.postMessage({ failure: await describeFailure(bytes, error), bytes });
    process.exit(1);
  }
  worst = Math.max(worst, performance.now() - start);
  const code = outcome.split(' ')[0];
  codes.set(code, (codes.get(code) ?? 0) + 1);
  if (!seen.has(outcome) && seen.size < LARGEST_CORPUS) {
    seen.add(outcome);
    corpus.push(bytes);
  }
  // Measured once code and corpus have settled: from there on memory must not grow.
  if (run === Math.floor(count / 4) || (warm === 0 && performance.now() > end - milliseconds * 0.75))
    warm = await memoryInUse();
}
parentPort.postMessage({
  runs: runs[0],
  codes: [...codes],
  worst,
  growth: warm === 0 ? 0 : (await memoryInUse()) - warm,
});
