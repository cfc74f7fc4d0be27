/** What every error of this SDK can carry beside its sentence. */
export interface ErrorDetails {
  /** The error underneath, kept whole. */
  cause?: unknown;
  /** Where in the input the fault is, such as `$.pcrs[3]`; absent when the input as a whole is at fault. */
  path?: string | undefined;
  /** Offset of the fault in the input, in bytes. */
  offset?: number | undefined;
}

/**
 * Base of every error that this SDK throws on purpose. `code` is stable and meant for programs; `message` is one
 * sentence for people: what was expected, what was found, and what to do. Neither ever holds a secret.
 */
export class NitroEnclavesError<Code extends string = string> extends Error {
  /** Stable identifier of the failure, such as `CBOR_DUPLICATE_KEY`. */
  declare readonly code: Code;
  /** Where in the input the fault is, such as `$.pcrs[3]`. */
  declare readonly path?: string | undefined;
  /** Offset of the fault in the input, in bytes. */
  declare readonly offset?: number | undefined;

  constructor(code: Code, message: string, details: ErrorDetails = {}) {
    // Of the details, `Error` takes the cause, if there is one.
    super(message, details);
    Object.assign(this, { name: new.target.name, code, ...details });
  }
}

/** The sentence of a refusal: where (or in what), what was expected, and what was found instead. */
export function explain(where: string, expected: string, found?: unknown): string {
  const start = `${where}: expected ${expected}`;
  return found === undefined ? start : `${start}, found ${found}`;
}

/** Throws an error whose sentence is {@link explain} of `where`, `expected` and `found`; `where` is its path too. */
export type Refuse<Code extends string> = (
  code: Code,
  where: string,
  expected: string,
  found?: unknown,
  details?: ErrorDetails,
) => never;

/** The {@link Refuse} of one class of errors. */
export function refuseWith<Code extends string>(
  ErrorClass: new (code: Code, message: string, details: ErrorDetails) => NitroEnclavesError<Code>,
): Refuse<Code> {
  return (code, where, expected, found, details = { path: where }) => {
    throw new ErrorClass(code, explain(where, expected, found), details);
  };
}
