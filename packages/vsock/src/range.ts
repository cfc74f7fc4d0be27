/** The longest that a timer of Node can be set to, in ms; a longer one would fire at once. */
export const LONGEST_TIMEOUT_MS: number = 2 ** 31 - 1;

/** @throws {RangeError} `ERR_OUT_OF_RANGE` for what is no integer from `least` to `most`. */
export function expectInteger(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  const error = new RangeError(`expected ${name} to be an integer from ${least} to ${most}, found ${String(value)}`);
  throw Object.assign(error, { code: 'ERR_OUT_OF_RANGE' });
}
