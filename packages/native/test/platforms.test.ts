import { join } from 'node:path';
import { transportConformance } from '@nitro-enclaves/vsock/conformance';
import { beforeAll, describe, expect, it } from 'vitest';
import { CHECKS } from './checks.ts';
import type { Outcome } from './platform.ts';
import { packageFolder, runChecks } from './platform.ts';

const NAMES = [...CHECKS, ...transportConformance].map(({ name }) => name);
const prebuilds = join(packageFolder, 'prebuilds');

describe.runIf(process.platform === 'linux')('the addon as it is shipped', () => {
  let outcome: Outcome | undefined;
  beforeAll(async () => {
    outcome = await runChecks({
      command: [process.execPath],
      prebuilds,
      env: { NATIVE_CHECK_ROUNDS: '10000', NATIVE_CHECK_WORKERS: '40' },
    });
  }, 300_000);

  it.each(NAMES)('%s', (name) => {
    expect(outcome?.failures.has(name), outcome?.stderr).toBe(true);
    expect(outcome?.failures.get(name)).toBeUndefined();
  });

  it('lets the process end when nothing is under way', () => {
    expect(outcome?.exitCode, outcome?.stderr).toBe(0);
  });
});
