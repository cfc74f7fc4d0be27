// Counts of passed, failed and skipped tests, handed from each part of a test run to the run as a whole through a
// file of one JSON object a line, named by the environment variable TEST_COUNTS.
import { appendFileSync, readFileSync } from 'node:fs';

/** Adds one part's counts, when a whole run wants them. */
export function recordCounts({ passed, failed, skipped }) {
  const file = process.env.TEST_COUNTS;
  if (file !== undefined) appendFileSync(file, `${JSON.stringify({ passed, failed, skipped })}\n`);
}

/** The sum of all counts recorded in `file`. */
export function sumCounts(file) {
  const total = { passed: 0, failed: 0, skipped: 0 };
  for (const line of readFileSync(file, 'utf8').split('\n').filter(Boolean)) {
    for (const [state, count] of Object.entries(JSON.parse(line))) total[state] += count;
  }
  return total;
}

/** The closing line: `N passed, N failed, N skipped`. */
export function closingLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}
