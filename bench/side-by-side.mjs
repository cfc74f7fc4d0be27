// Measures cases side by side in one run: what one round of the machine's noise does to one, it does to all. Claims are
// ratios of medians; a figure of one run alone says nothing.
import { arch, cpus, platform } from 'node:os';

/** The middle one of the values. */
export function median(values) {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[sorted.length >> 1];
}

async function milliseconds(body) {
  const start = process.hrtime.bigint();
  const result = body();
  if (result instanceof Promise) await result;
  return Number(process.hrtime.bigint() - start) / 1e6;
}

/**
 * Runs every case once a round, each round beginning with another, and gives the median of each in ms by its name. Half as
 * many rounds before them warm up and count for nothing.
 */
export async function sideBySide(cases, { rounds = 200 } = {}) {
  const names = Object.keys(cases);
  const times = new Map(names.map((name) => [name, []]));
  const warmUp = Math.ceil(rounds / 2);
  for (let round = -warmUp; round < rounds; round += 1) {
    for (let index = 0; index < names.length; index += 1) {
      const name = names[(index + round + warmUp) % names.length];
      const time = await milliseconds(cases[name]);
      if (round >= 0) times.get(name).push(time);
    }
  }
  return new Map([...times].map(([name, values]) => [name, median(values)]));
}

/** Says on what the figures were made. */
export function describeMachine() {
  const processors = cpus();
  const { openssl } = process.versions;
  return `Node ${process.version}, OpenSSL ${openssl}, ${processors.length} × ${processors[0]?.model}, ${platform()} ${arch()}`;
}

/** Prints medians, and each as a multiple of the case that `floorOf` names for it. */
export function printMedians(medians, floorOf) {
  for (const [name, time] of medians) {
    const floor = floorOf(name);
    const ratio = floor === undefined ? '' : `${(time / medians.get(floor)).toFixed(2)} × ${floor}`;
    console.log(`${name.padEnd(44)} ${time.toFixed(3).padStart(9)} ms   ${ratio}`);
  }
}

/** Prints a claim, and whether this run bears it out. */
export function printClaim(sentence, { ratio, atMost }) {
  console.log(
    `${ratio <= atMost ? 'holds    ' : 'NOT HELD '} ${sentence}: ${ratio.toFixed(3)}, claimed at most ${atMost}`,
  );
}
