/** What was paid to one merchant. Money in cents: sums of floating-point euros would drift. */
export interface MerchantTotal {
  readonly merchant: string;
  readonly payments: number;
  readonly cents: number;
}

/** A payment far above what its merchant had taken until then. */
export interface Outlier {
  readonly id: string;
  readonly merchant: string;
  readonly cents: number;
  /** How many standard deviations above the mean of the payments before it. */
  readonly deviations: number;
}

/** What is computed from a file of payments. */
export interface PaymentSummary {
  readonly rows: number;
  readonly rejectedRows: number;
  readonly cents: number;
  /** By what was paid to them, most first. */
  readonly merchants: readonly MerchantTotal[];
  readonly outliers: readonly Outlier[];
}

/** First line of a file. */
export const PAYMENTS_HEADER = 'id,time,merchant,cents';

const MAX_CENTS = 1_000_000_00;
const MAX_OUTLIERS = 1000;
/** Longest row, in characters: a file without line feeds must not fill the memory. */
const MAX_ROW_LENGTH = 4096;
/** A merchant's first payments say too little of the next. */
const LEAST_PAYMENTS = 100;
const OUTLIER_DEVIATIONS = 12;

/** Count, sum, mean and variance of what one merchant took (Welford's method: one pass, no cancellation). */
class MerchantStatistics {
  payments = 0;
  cents = 0;
  #mean = 0;
  #squares = 0;

  /** Standard deviations above the mean so far; 0 while there is too little to compare with. */
  deviationsOf(cents: number): number {
    if (this.payments < LEAST_PAYMENTS) return 0;
    const deviation = Math.sqrt(this.#squares / (this.payments - 1));
    return deviation === 0 ? 0 : (cents - this.#mean) / deviation;
  }

  add(cents: number): void {
    this.payments += 1;
    this.cents += cents;
    const difference = cents - this.#mean;
    this.#mean += difference / this.payments;
    this.#squares += difference * (cents - this.#mean);
  }
}

/** Sums up payments row by row. */
export class PaymentLedger {
  readonly #merchants = new Map<string, MerchantStatistics>();
  readonly #outliers: Outlier[] = [];
  #rest = '';
  #rows = 0;
  #rejected = 0;

  /** Takes a piece of the file, cut anywhere between two characters. */
  take(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#row(line);
    if (this.#rest.length > MAX_ROW_LENGTH)
      throw new RangeError(`expected rows of at most ${MAX_ROW_LENGTH} characters`);
  }

  /** The summary of all that was taken. */
  finish(): PaymentSummary {
    if (this.#rest !== '') this.#row(this.#rest);
    this.#rest = '';
    const merchants = [...this.#merchants]
      .map(([merchant, { payments, cents }]) => ({ merchant, payments, cents }))
      .sort((left, right) => right.cents - left.cents || left.merchant.localeCompare(right.merchant));
    const cents = merchants.reduce((sum, total) => sum + total.cents, 0);
    return { rows: this.#rows, rejectedRows: this.#rejected, cents, merchants, outliers: this.#outliers };
  }

  #row(line: string): void {
    if (line === '' || line === PAYMENTS_HEADER) return;
    const [id, time, merchant, amount, ...more] = line.split(',');
    const cents = Number(amount);
    const isWhole =
      id !== undefined && time !== undefined && merchant !== undefined && merchant !== '' && more.length === 0;
    if (!isWhole || !Number.isInteger(cents) || cents <= 0 || cents > MAX_CENTS) this.#rejected += 1;
    else this.#payment(id, merchant, cents);
  }

  #payment(id: string, merchant: string, cents: number): void {
    this.#rows += 1;
    const statistics = this.#merchants.get(merchant) ?? new MerchantStatistics();
    this.#merchants.set(merchant, statistics);
    const deviations = statistics.deviationsOf(cents);
    if (deviations >= OUTLIER_DEVIATIONS && this.#outliers.length < MAX_OUTLIERS)
      this.#outliers.push({ id, merchant, cents, deviations: Math.round(deviations) });
    // An outlier would hide the next: it is reported, not learned from.
    if (deviations < OUTLIER_DEVIATIONS) statistics.add(cents);
    else {
      statistics.payments += 1;
      statistics.cents += cents;
    }
  }
}
