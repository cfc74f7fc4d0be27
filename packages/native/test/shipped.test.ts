import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Outcome } from './platform.ts';
import { CHECK_NAMES, packageFolder, prepareChecks, runChecks } from './platform.ts';
import { runProgram } from './program.ts';

describe.runIf(process.platform === 'linux')('the addon as it is shipped', () => {
  let outcome: Outcome | undefined;
  let script = '';
  let cleanUp = async (): Promise<void> => {};
  beforeAll(async () => {
    const prepared = await prepareChecks(join(packageFolder, 'prebuilds'));
    ({ cleanUp, script } = prepared);
    const env = { NATIVE_CHECK_ROUNDS: '1000', NATIVE_CHECK_WORKERS: '10' };
    outcome = await runChecks([process.execPath, script], env);
  }, 300_000);
  afterAll(() => cleanUp());

  it.each(CHECK_NAMES)('%s', (name) => {
    expect(outcome?.failures.has(name), outcome?.stderr).toBe(true);
    expect(outcome?.failures.get(name)).toBeUndefined();
  });

  it('says EMFILE when there is no descriptor for its thread, and works when there is one again', async () => {
    const limited = ['sh', '-c', 'ulimit -n 100 && exec "$0" "$@"', process.execPath, script, 'exhausted'];
    const { exitCode, stderr } = await runProgram(limited);
    expect(exitCode, stderr).toBe(0);
  });

  it('lets the process end when nothing is under way', () => {
    expect(outcome?.exitCode, outcome?.stderr).toBe(0);
  });
});
