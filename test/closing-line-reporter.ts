import type { Reporter, TestModule } from 'vitest/node';
import { closingLines, recordCounts } from '../tools/counts.mjs';

type Failed = readonly { readonly message: string }[];

/**
 * Ends a run with a plain line for each failure and one of counts, `N passed, N failed, N skipped`, whatever else was
 * printed; as part of a whole run, hands both to it instead.
 */
export default class ClosingLineReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: Failed): void {
    const failures = [...modules.flatMap(failuresOf), ...named('outside of any test', unhandledErrors)];
    const states = modules.flatMap((module) => [...module.children.allTests()].map((test) => test.result().state));
    const passed = states.filter((state) => state === 'passed').length;
    const skipped = states.filter((state) => state === 'skipped' || state === 'pending').length;
    const counts = { passed, skipped, failures };
    recordCounts(counts);
    if (process.env['TEST_COUNTS'] === undefined) console.log(`\n${closingLines(counts)}`);
  }
}

function named(name: string, errors: Failed): string[] {
  return errors.map(({ message }) => `Node ${process.versions.node}: ${name}: ${message}`);
}

/** Its failed tests, and what failed outside of any test: a module that does not load, a hook of a suite. */
function failuresOf(module: TestModule): string[] {
  const file = module.relativeModuleId;
  const suites = [...module.children.allSuites()];
  const tests = [...module.children.allTests('failed')];
  return [
    ...named(file, module.errors()),
    ...suites.flatMap((suite) => named(`${file} > ${suite.fullName}`, suite.errors())),
    ...tests.flatMap((test) => named(`${file} > ${test.fullName}`, [lastErrorOf(test.result().errors)])),
  ];
}

/** Of the last of its runs. */
function lastErrorOf(errors: Failed | undefined): { message: string } {
  return errors?.at(-1) ?? { message: 'failed without an error' };
}
