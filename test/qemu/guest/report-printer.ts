import type { GuestResult } from './guest-test.ts';

const SIGNS = { passed: 'ok  ', failed: 'FAIL', skipped: 'skip' } as const;

/** Prints a report for people, and counts. */
export class ReportPrinter {
  readonly counts: Record<GuestResult['outcome'], number> = { passed: 0, failed: 0, skipped: 0 };

  print({ name, outcome, duration, detail }: GuestResult): void {
    this.counts[outcome] += 1;
    const lines = detail === undefined ? '' : `\n       ${detail.replaceAll('\n', '\n       ')}`;
    console.log(`${SIGNS[outcome]}  ${name} (${duration} ms)${lines}`);
  }

  printCounts(): void {
    const { passed, failed, skipped } = this.counts;
    console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
  }
}
