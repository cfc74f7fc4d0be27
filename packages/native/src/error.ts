import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';

/** Why the addon cannot be used at all. */
export type NativeUnavailableCode = 'NATIVE_UNSUPPORTED_PLATFORM' | 'NATIVE_NOT_LOADED';

/**
 * This machine has no addon: thrown when one of its functions is used, never by importing.
 * `NATIVE_UNSUPPORTED_PLATFORM`: not Linux on x64 or arm64. `NATIVE_NOT_LOADED`: the file is missing or does not load.
 */
export class NativeUnavailableError extends Error {
  readonly code: NativeUnavailableCode;

  constructor(code: NativeUnavailableCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'NativeUnavailableError';
    this.code = code;
  }
}

/** A failed system call, in the shape of Node's own. */
export interface SystemError extends NodeJS.ErrnoException {
  code: string;
  /** Negative, as in Node. */
  errno: number;
  syscall: string;
}

/** For the few that `getSystemErrorName` does not know. */
const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.errno).map(([name, number]): [number, string] => [number, name]),
);

/** The kernel's name of `-errno`, such as `ECONNREFUSED`. */
export function errnoName(errno: number): string {
  const name = getSystemErrorName(errno);
  return name.startsWith('E') ? name : (NAMES.get(-errno) ?? name);
}

/** The error of `syscall` that returned `errno` (negative). */
export function systemError(syscall: string, errno: number, path?: string): SystemError {
  const code = errnoName(errno);
  const message = path === undefined ? `${syscall} ${code}` : `${syscall} ${code} ${path}`;
  return Object.assign(new Error(message), { code, errno, syscall, ...(path === undefined ? {} : { path }) });
}

/** Passes on what a system call returned, unless that is an error. */
export function expectSuccess(syscall: string, result: number): number {
  if (result < 0) throw systemError(syscall, result);
  return result;
}
