import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { closingLines, sumCounts } from '../../tools/counts.mjs';

const VITEST = fileURLToPath(new URL('../../node_modules/vitest/vitest.mjs', import.meta.url));
const REPORTER = fileURLToPath(new URL('../closing-line-reporter.ts', import.meta.url));

/** A module of tests with one of each outcome, and one whose hook fails. */
const TESTS = `
  import { beforeAll, describe, expect, it } from 'vitest';
  it('passes', () => expect(1).toBe(1));
  it('fails', () => expect(1).toBe(2));
  it.skip('is skipped', () => {});
  describe('a suite', () => {
    beforeAll(() => { throw new Error('hook'); });
    it('is not reached', () => {});
  });
`;

let folder: string;
beforeEach(() => {
  // Below the tree, so that the module finds vitest.
  folder = mkdtempSync(fileURLToPath(new URL('../.closing-line-', import.meta.url)));
  writeFileSync(join(folder, 'vitest.config.mjs'), 'export default {}');
  writeFileSync(join(folder, 'some.test.mjs'), TESTS);
  writeFileSync(join(folder, 'broken.test.mjs'), 'throw new Error("does not load")');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function runTests(environment: Record<string, string> = {}) {
  const { TEST_COUNTS: _, ...inherited } = process.env;
  const args = [VITEST, 'run', '--root', folder, `--reporter=${REPORTER}`];
  return spawnSync(process.execPath, args, { encoding: 'utf8', env: { ...inherited, ...environment } });
}

describe('the last line of a test run', () => {
  it('counts tests, and as failures also hooks and modules that failed', { timeout: 120_000 }, () => {
    const { stdout, status } = runTests();
    expect(stdout.trimEnd().split('\n').at(-1)).toBe('1 passed, 3 failed, 2 skipped');
    expect(status).toBe(1);
  });

  it('comes after a line for each failure: where it was, and what was wrong', { timeout: 120_000 }, () => {
    const failures = runTests()
      .stdout.split('\n')
      .filter((line) => line.startsWith('FAILED'));
    expect(failures.toSorted()).toEqual([
      expect.stringMatching(/^FAILED {2}Node [\d.]+: broken\.test\.mjs: does not load$/),
      expect.stringMatching(/: some\.test\.mjs > a suite: hook$/),
      expect.stringMatching(/: some\.test\.mjs > fails: expected 1 to be 2/),
    ]);
  });

  it('is left to the run as a whole, where there is one', { timeout: 120_000 }, () => {
    const counts = join(folder, 'counts.jsonl');
    const { stdout } = runTests({ TEST_COUNTS: counts });
    expect(stdout).not.toMatch(/passed,|FAILED/);
    const { failures, ...numbers } = sumCounts(counts);
    expect({ ...numbers, failed: failures.length }).toEqual({ passed: 1, failed: 3, skipped: 2 });
  });
});

describe('the counts of several parts', () => {
  it('are summed up, after all failures, each in one line that is not too long', () => {
    const file = join(mkdtempSync(join(tmpdir(), 'counts-')), 'counts.jsonl');
    const failures = ['a: of\n  two lines', `b: ${'long '.repeat(1000)}`];
    const parts = [
      { passed: 3, skipped: 1, failures: [] },
      { passed: 4, skipped: 0, failures },
    ];
    writeFileSync(file, parts.map((part) => `${JSON.stringify(part)}\n`).join(''));
    const [first, second, last, ...more] = closingLines(sumCounts(file)).split('\n');
    expect(first).toBe('FAILED  a: of two lines');
    expect(second).toMatch(/^FAILED {2}b: (long ){10,99}/);
    expect(last).toBe('7 passed, 2 failed, 1 skipped');
    expect(more).toEqual([]);
    rmSync(join(file, '..'), { recursive: true });
  });
});
