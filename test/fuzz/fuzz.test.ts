import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadTarget, TARGET_NAMES } from './targets.mjs';

const PROGRAM = fileURLToPath(new URL('fuzz.mjs', import.meta.url));
const RUNS = process.env['FUZZ_RUNS'] ?? '1000';

/** Runs the fuzzer as `pnpm fuzz` does: over the built packages, in a process of its own. */
function fuzz(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...args], { encoding: 'utf8' });
  return { status, output: stdout + stderr };
}

describe('a short round of fuzzing, the same inputs every time', () => {
  let accounts: string;
  beforeAll(() => {
    accounts = fuzz('--runs', RUNS).output;
  }, 900_000);

  for (const name of TARGET_NAMES) {
    it(`meets nothing but what is promised in ${name}`, () => {
      expect(accounts).toContain(`ok    ${name}: ${RUNS} inputs`);
      expect(accounts).not.toContain(`FAIL  ${name}:`);
    });
  }
});

describe('the targets', () => {
  it('exist under the names that they are listed by', async () => {
    for (const name of TARGET_NAMES) expect(await loadTarget(name), name).toHaveProperty('seeds');
  });
});

describe('the command line of the fuzzer', () => {
  it('refuses targets that do not exist, with those that do', () => {
    const { status, output } = fuzz('1', 'no-such-target');
    expect(status).toBe(2);
    expect(output).toContain('certificate');
  });

  it('refuses a count that is none', () => expect(fuzz('--runs', 'many').status).toBe(2));

  it('gives the same account for the same seed', () => {
    const account = () => fuzz('der', '--runs', '500', '--seed', '7').output.split('\n')[1];
    expect(account()).toBe(account());
  });
});
