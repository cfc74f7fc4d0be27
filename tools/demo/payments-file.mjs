// A file of payments as a stream: the same for the same seed, so that what the enclave finds can be compared.
const MERCHANTS = 40;
const ROWS_A_PIECE = 2000;

/** A small generator of numbers, good enough for test data (mulberry32). */
function* numbers(seed) {
  let state = seed;
  for (;;) {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    yield ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  }
}

/**
 * Pieces of a CSV of about `bytes` bytes, with `outliers` payments far above all others. Calls `onRow` for each row, which is
 * how the sender knows what has to come back.
 */
export function* paymentsFile({ bytes, outliers, seed = 1, onRow = () => undefined }) {
  const random = numbers(seed);
  const next = () => random.next().value;
  const header = 'id,time,merchant,cents\n';
  yield header;
  const rows = Math.floor(bytes / 50);
  const every = Math.floor(rows / (outliers + 1));
  for (let row = 0; row < rows; ) {
    const lines = [];
    for (let count = 0; count < ROWS_A_PIECE && row < rows; count += 1, row += 1) {
      const merchant = `merchant-${String(Math.floor(next() * MERCHANTS)).padStart(4, '0')}`;
      const isOutlier = row > rows / 10 && row % every === 0;
      const cents = isOutlier ? 9_000_000 + row : 100 + Math.floor(next() * 9900);
      const id = `p${String(row).padStart(9, '0')}`;
      onRow({ id, merchant, cents, isOutlier });
      lines.push(`${id},2026-11-25T12:00:00Z,${merchant},${cents}\n`);
    }
    yield lines.join('');
  }
}
