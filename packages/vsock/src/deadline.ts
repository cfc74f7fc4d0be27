import type { VsockAddress } from './address.ts';
import { abortError, vsockError } from './error.ts';

const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

/** What ends an attempt early. */
export interface AttemptLimits {
  readonly signal?: AbortSignal | undefined;
  readonly timeout?: number | undefined;
}

/** The two ways in which an attempt ends by itself. */
export interface AttemptOutcome<T> {
  resolve(value: T): void;
  reject(error: Error): void;
}

function expectTimeout(timeout: number): void {
  if (Number.isInteger(timeout) && timeout >= 1 && timeout <= LONGEST_TIMEOUT_MS) return;
  const message = `expected timeout to be an integer from 1 to ${LONGEST_TIMEOUT_MS} milliseconds, found ${timeout}`;
  throw Object.assign(new RangeError(message), { code: 'ERR_OUT_OF_RANGE' });
}

/**
 * Connects by `begin`, which returns how to give up. The promise settles once: with what `begin` reports, with
 * `ETIMEDOUT` after `timeout` ms, or with an `AbortError`; in the latter two the attempt has been given up before.
 */
export function attemptConnect<T>(
  address: VsockAddress,
  { signal, timeout = DEFAULT_CONNECT_TIMEOUT_MS }: AttemptLimits,
  begin: (outcome: AttemptOutcome<T>) => () => void,
): Promise<T> {
  expectTimeout(timeout);
  return new Promise<T>((resolve, reject) => {
    if (signal?.aborted) throw abortError(signal);
    let giveUp = (): void => {};
    const abort = (): void => {
      if (signal !== undefined) stop(abortError(signal));
    };
    const expire = (): void => stop(vsockError({ code: 'ETIMEDOUT', syscall: 'connect', address }));
    const timer = setTimeout(expire, timeout);
    const settled = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    };
    const stop = (error: Error): void => {
      settled();
      giveUp();
      reject(error);
    };
    signal?.addEventListener('abort', abort, { once: true });
    giveUp = begin({
      resolve: (value) => {
        settled();
        resolve(value);
      },
      reject: (error) => {
        settled();
        reject(error);
      },
    });
  });
}
