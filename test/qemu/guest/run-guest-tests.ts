import type { GuestContext, GuestResult, GuestTest } from './guest-test.ts';

const DEFAULT_TIMEOUT = 60_000;

async function withTimeout<T>(promise: Promise<T>, timeout: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not over after ${timeout} ms`)), timeout);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function outcomeOf(test: GuestTest, context: GuestContext): Promise<Pick<GuestResult, 'outcome' | 'detail'>> {
  try {
    const figures = await withTimeout(test.run(context), test.timeout ?? DEFAULT_TIMEOUT);
    return { outcome: 'passed', ...(figures === undefined ? {} : { detail: figures }) };
  } catch (error) {
    return { outcome: 'failed', detail: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

/** Machines are shared and noisy, as for the tests outside: what fails twice in a row is wrong. */
async function outcomeOfTwo(test: GuestTest, context: GuestContext): ReturnType<typeof outcomeOf> {
  const first = await outcomeOf(test, context);
  if (first.outcome !== 'failed') return first;
  const second = await outcomeOf(test, context);
  return { ...second, detail: `${second.detail ?? ''}\nbefore that, it failed: ${first.detail ?? ''}` };
}

/** Runs `tests` one after the other; tells the result of each as it comes. */
export async function runGuestTests(
  tests: readonly GuestTest[],
  context: GuestContext,
  report: (result: GuestResult) => void,
): Promise<void> {
  for (const test of tests) {
    const lacking = test.needs && context.missing.get(test.needs);
    const start = performance.now();
    const outcome = lacking ? { outcome: 'skipped' as const, detail: lacking } : await outcomeOfTwo(test, context);
    report({ name: test.name, duration: Math.round(performance.now() - start), ...outcome });
  }
}
