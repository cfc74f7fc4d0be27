import type { Reporter, TestCase, TestModule } from 'vitest/node';
import { closingLine, recordCounts } from '../tools/counts.mjs';

/**
 * Ends a run with one plain line of counts, `N passed, N failed, N skipped`, whatever else was printed; as part of a
 * whole run, hands the counts to it instead.
 */
export default class ClosingLineReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
    for (const module of modules) {
      // What failed outside of any test: a module that does not load, a hook of a suite.
      counts.failed += module.errors().length;
      for (const suite of module.children.allSuites()) counts.failed += suite.errors().length;
      for (const test of module.children.allTests()) counts[stateOf(test)] += 1;
    }
    recordCounts(counts);
    if (process.env['TEST_COUNTS'] === undefined) console.log(`\n${closingLine(counts)}`);
  }
}

function stateOf(test: TestCase): 'passed' | 'failed' | 'skipped' {
  const { state } = test.result();
  return state === 'pending' ? 'skipped' : state;
}
