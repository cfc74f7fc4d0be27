import type { ErrorDetails } from '@nitro-enclaves/core';
import { NitroEnclavesError } from '@nitro-enclaves/core';

/** Errors that the module answers with, by its own name for each (`ErrorCode` of aws-nitro-enclaves-nsm-api). */
const MODULE_ERRORS = {
  InvalidArgument: 'NSM_INVALID_ARGUMENT',
  InvalidIndex: 'NSM_INVALID_INDEX',
  InvalidResponse: 'NSM_INVALID_RESPONSE',
  ReadOnlyIndex: 'NSM_READ_ONLY_INDEX',
  InvalidOperation: 'NSM_INVALID_OPERATION',
  BufferTooSmall: 'NSM_BUFFER_TOO_SMALL',
  InputTooLarge: 'NSM_INPUT_TOO_LARGE',
  InternalError: 'NSM_INTERNAL_ERROR',
} as const;

/** The module's own name of an error it answered with. */
export type NsmModuleError = keyof typeof MODULE_ERRORS;

/** Why a request to the NSM brought no result. */
export type NsmErrorCode =
  | (typeof MODULE_ERRORS)[NsmModuleError]
  /** The module answered with an error that this SDK does not know. */
  | 'NSM_UNKNOWN_ERROR'
  /** An argument is outside the limits of the interface; nothing was sent. */
  | 'NSM_ARGUMENT'
  /** The response is not of the form that the interface states, or answers another request. */
  | 'NSM_MALFORMED_RESPONSE'
  /** There is no NSM here, or this process may not use it. */
  | 'NSM_UNAVAILABLE'
  /** The driver gave no response. */
  | 'NSM_DEVICE_FAILED'
  /** No response within the deadline. */
  | 'NSM_TIMEOUT'
  /** The device was closed before the request. */
  | 'NSM_CLOSED';

/** A request to the Nitro Secure Module brought no result; `code` says why. */
export class NsmError extends NitroEnclavesError<NsmErrorCode> {
  /** What the module itself called the error, if it was the module that answered with one. */
  readonly moduleError?: string;

  constructor(code: NsmErrorCode, message: string, details: ErrorDetails & { moduleError?: string } = {}) {
    super(code, message, details);
    if (details.moduleError !== undefined) this.moduleError = details.moduleError;
  }
}

const CODES: ReadonlyMap<string, NsmErrorCode> = new Map(Object.entries(MODULE_ERRORS));

/** The error for a response `{ "Error": name }` to the request called `request`. */
export function moduleError(request: string, name: string): NsmError {
  const code = CODES.get(name) ?? 'NSM_UNKNOWN_ERROR';
  return new NsmError(code, `the NSM refused ${request} with ${JSON.stringify(name.slice(0, 64))}`, {
    moduleError: name,
  });
}
