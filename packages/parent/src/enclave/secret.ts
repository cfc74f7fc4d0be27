/** What stands in the place of a secret wherever it would be written. */
export const REDACTED = '[redacted]';

/** How Node asks an object for its text in `console.log` and `util.inspect`. */
const inspect = Symbol.for('nodejs.util.inspect.custom');

/**
 * Wraps a value that must not be written: printed, logged, inspected or turned to JSON it is `[redacted]`. Only
 * `reveal()` gives it out, which a reviewer can search for.
 */
export class Secret<Value> {
  readonly #value: Value;

  constructor(value: Value) {
    this.#value = value;
  }

  /** The value itself. */
  reveal(): Value {
    return this.#value;
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [Symbol.toPrimitive](): string {
    return REDACTED;
  }

  static {
    Object.defineProperty(Secret.prototype, inspect, { value: (): string => REDACTED });
  }
}
