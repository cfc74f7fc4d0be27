import { NsmError } from './error.ts';

/** How long one call may take, and what may end it sooner. */
export interface NsmCallOptions {
  /** Ends the wait; the promise is rejected with an `AbortError` that has the signal's reason as its cause. */
  signal?: AbortSignal | undefined;
  /** Deadline of the call, in milliseconds. */
  timeout?: number | undefined;
}

/** Longest delay that a timer of Node takes, in ms; a longer one would fire at once. */
const LONGEST_TIMEOUT = 2 ** 31 - 1;

/** The error that Node gives whoever aborts: name `AbortError`, code `ABORT_ERR`. */
export function abortError(signal: AbortSignal): Error {
  const error = new Error('The operation was aborted', { cause: signal.reason });
  error.name = 'AbortError';
  return Object.assign(error, { code: 'ABORT_ERR' });
}

/**
 * Runs `wait` with a signal that fires when the caller's does or when the deadline passes, and stops waiting itself
 * at that moment: a module that hangs must not hang its caller, whatever the device makes of the signal.
 */
export function withDeadline<T>(
  { signal, timeout }: { signal?: AbortSignal | undefined; timeout: number },
  wait: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (!(timeout > 0 && timeout <= LONGEST_TIMEOUT)) {
    return Promise.reject(
      new NsmError('NSM_ARGUMENT', `expected a timeout from 1 to ${LONGEST_TIMEOUT} ms, found ${timeout}`),
    );
  }
  if (signal?.aborted) return Promise.reject(abortError(signal));
  return new Promise((resolve, reject) => {
    const ended = new AbortController();
    // Not left to the device: one that hangs would keep the timer, and with it the process, and the caller's signal busy.
    const stop = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    };
    const end = (error: Error): void => {
      stop();
      reject(error);
      ended.abort(error);
    };
    const onAbort = (): void => {
      if (signal !== undefined) end(abortError(signal));
    };
    const onTimeout = (): void => end(new NsmError('NSM_TIMEOUT', `the NSM gave no response within ${timeout} ms`));
    const timer = setTimeout(onTimeout, timeout);
    signal?.addEventListener('abort', onAbort, { once: true });
    wait(ended.signal).then(resolve, reject).finally(stop);
  });
}
