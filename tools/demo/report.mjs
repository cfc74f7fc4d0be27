// What the demo says: for people by default, one JSON document with --json.
const COLOURS = { dim: 2, red: 31, green: 32, bold: 1 };

/** Collects steps and their figures, and prints them as they come. */
export class Report {
  #json;
  #colour;
  #verbose;
  #steps = [];
  #failures = 0;

  constructor({ json, verbose, isTTY }) {
    this.#json = json;
    this.#verbose = verbose;
    this.#colour = isTTY && !json;
  }

  #paint(style, text) {
    return this.#colour ? `\u001b[${COLOURS[style]}m${text}\u001b[0m` : text;
  }

  /** A heading. */
  title(text) {
    if (!this.#json) console.log(`\n${this.#paint('bold', text)}`);
  }

  /** A line of figures under it. */
  line(text) {
    if (!this.#json) console.log(`  ${text}`);
  }

  /** A line that only --verbose shows. */
  detail(text) {
    if (this.#verbose && !this.#json) console.log(this.#paint('dim', `  · ${text}`));
  }

  /** Runs a step, and says how long it took. */
  async step(name, work) {
    const startedAt = performance.now();
    const result = await work();
    const milliseconds = Math.round(performance.now() - startedAt);
    this.#steps.push({ step: name, milliseconds });
    if (!this.#json) console.log(`  ${this.#paint('green', '✓')} ${name} ${this.#paint('dim', `${milliseconds} ms`)}`);
    return result;
  }

  /** Something that has to be so. */
  expect(isSo, sentence, figures = {}) {
    if (!isSo) this.#failures += 1;
    this.#steps.push({ expected: sentence, holds: isSo, ...figures });
    if (!this.#json) console.log(`  ${isSo ? this.#paint('green', '✓') : this.#paint('red', '✗ NOT SO:')} ${sentence}`);
  }

  /** Runs what has to be refused, and says by what. */
  async refusal(sentence, expected, work) {
    const outcome = await work().then(
      () => ({ name: 'nothing: it was accepted' }),
      (error) => error,
    );
    const found = outcome.code ?? outcome.name;
    const reason = expected.find((one) => `${found} ${outcome.message}`.includes(one));
    const because = reason === undefined || reason === found ? '' : ` (${reason})`;
    this.expect(reason !== undefined, `${sentence}: refused with ${found}${because}`, { found });
    this.detail(outcome.message ?? '');
  }

  /** The end; gives the exit code. */
  finish(figures) {
    const isWell = this.#failures === 0;
    if (this.#json) console.log(JSON.stringify({ ok: isWell, ...figures, steps: this.#steps }, undefined, 2));
    else
      console.log(
        `\n${isWell ? this.#paint('green', 'Everything is as it should be.') : this.#paint('red', `${this.#failures} things are not as they should be.`)}`,
      );
    return isWell ? 0 : 1;
  }
}
