import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PAYMENTS_HEADER, PaymentLedger } from '../src/index.ts';

function summaryOf(...pieces: readonly string[]) {
  const ledger = new PaymentLedger();
  for (const piece of pieces) ledger.take(piece);
  return ledger.finish();
}

describe('a ledger of payments', () => {
  it('gives the same summary wherever the file was cut', () => {
    const merchant = fc.constantFrom('bakery', 'books', 'Bücher');
    const row = fc.tuple(merchant, fc.integer({ min: -5, max: 10_000 }));
    fc.assert(
      fc.property(fc.array(row, { maxLength: 50 }), fc.array(fc.nat(), { maxLength: 8 }), (rows, cuts) => {
        const lines = rows.map(([name, cents], index) => `p${index},2026-11-25T12:00:00Z,${name},${cents}`);
        const file = [PAYMENTS_HEADER, ...lines].join('\n');
        const places = [0, ...cuts.map((cut) => cut % file.length).sort((a, b) => a - b), file.length];
        const pieces = places.slice(1).map((end, index) => file.slice(places[index], end));
        expect(summaryOf(...pieces)).toStrictEqual(summaryOf(file));
      }),
    );
  });

  it.each([
    ['too few fields', 'p1,bakery,100'],
    ['too many fields', 'p1,2026-11-25T12:00:00Z,bakery,100,1'],
    ['no merchant', 'p1,2026-11-25T12:00:00Z,,100'],
    ['no amount', 'p1,2026-11-25T12:00:00Z,bakery,'],
    ['a negative amount', 'p1,2026-11-25T12:00:00Z,bakery,-100'],
    ['parts of cents', 'p1,2026-11-25T12:00:00Z,bakery,1.5'],
    ['more than any payment', 'p1,2026-11-25T12:00:00Z,bakery,1e15'],
  ])('counts a row with %s as rejected, and adds nothing of it', (_, row) => {
    expect(summaryOf(row)).toMatchObject({ rows: 0, rejectedRows: 1, cents: 0, merchants: [] });
  });

  it('names a payment far above what its merchant took before, and only it', () => {
    const usual = Array.from({ length: 200 }, (_, index) => `p${index},t,bakery,${400 + (index % 20)}`);
    const { outliers } = summaryOf([...usual, 'far,t,bakery,900000', 'usual,t,bakery,410'].join('\n'));
    expect(outliers.map(({ id }) => id)).toStrictEqual(['far']);
  });

  it('refuses a file without line feeds before it fills the memory', () => {
    expect(() => summaryOf('x'.repeat(5000))).toThrow('at most 4096 characters');
  });
});
