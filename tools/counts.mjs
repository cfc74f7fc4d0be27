// Counts of passed and skipped tests, and what failed, handed from each part of a test run to the run as a whole through a
// file of one JSON object a line, named by the environment variable TEST_COUNTS.
import { appendFileSync, readFileSync } from 'node:fs';

/**
 * Adds one part's counts, and a sentence for each of its failures, when a whole run wants them.
 * @param {{ passed?: number, skipped?: number, failures?: readonly string[] }} counts
 */
export function recordCounts({ passed = 0, skipped = 0, failures = [] }) {
  const file = process.env.TEST_COUNTS;
  if (file !== undefined) appendFileSync(file, `${JSON.stringify({ passed, skipped, failures })}\n`);
}

/** The sum of all counts recorded in `file`, and all failures. */
export function sumCounts(file) {
  const total = { passed: 0, skipped: 0, failures: [] };
  for (const line of readFileSync(file, 'utf8').split('\n').filter(Boolean)) {
    const { passed, skipped, failures } = JSON.parse(line);
    total.passed += passed;
    total.skipped += skipped;
    total.failures.push(...failures);
  }
  return total;
}

/** Characters of a failure that are shown: enough to know it, since the whole stands above. */
const SHOWN = 400;

/**
 * How a run ends: what failed, a line each, so that it is seen at the end of a long output; then
 * `N passed, N failed, N skipped`.
 */
export function closingLines({ passed, skipped, failures }) {
  const lines = failures.map((failure) => `FAILED  ${failure.replaceAll(/\s+/g, ' ').slice(0, SHOWN)}`);
  return [...lines, `${passed} passed, ${failures.length} failed, ${skipped} skipped`].join('\n');
}
