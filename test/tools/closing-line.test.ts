import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { closingLine, sumCounts } from '../../tools/counts.mjs';

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

  it('is left to the run as a whole, where there is one', { timeout: 120_000 }, () => {
    const counts = join(folder, 'counts.jsonl');
    const { stdout } = runTests({ TEST_COUNTS: counts });
    expect(stdout).not.toContain('passed,');
    expect(sumCounts(counts)).toEqual({ passed: 1, failed: 3, skipped: 2 });
  });
});

describe('the counts of several parts', () => {
  it('are summed up', () => {
    const file = join(mkdtempSync(join(tmpdir(), 'counts-')), 'counts.jsonl');
    writeFileSync(file, '{"passed":3,"failed":0,"skipped":1}\n{"passed":4,"failed":2,"skipped":0}\n');
    expect(closingLine(sumCounts(file))).toBe('7 passed, 2 failed, 1 skipped');
    rmSync(join(file, '..'), { recursive: true });
  });
});
