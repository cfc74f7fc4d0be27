import { abortError } from './error.ts';

const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;
/** The longest that a timer of Node can be set to. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

/** The two ways in which an attempt ends by itself. */
export interface AttemptOutcome<T> {
  resolve(value: T): void;
  reject(error: unknown): void;
}

/** For how long to try to connect, in ms. */
export function connectTimeout({ timeout = DEFAULT_CONNECT_TIMEOUT_MS }: { timeout?: number | undefined }): number {
  if (Number.isInteger(timeout) && timeout >= 1 && timeout <= LONGEST_TIMEOUT_MS) return timeout;
  const message = `expected timeout to be an integer from 1 to ${LONGEST_TIMEOUT_MS} milliseconds, found ${timeout}`;
  throw Object.assign(new RangeError(message), { code: 'ERR_OUT_OF_RANGE' });
}

/**
 * Runs `begin`, which returns how to give up, until it reports its outcome. When `signal` is aborted before, gives up and
 * rejects with an `AbortError`; what `begin` reports later is then nobody's, so it must not report a resource.
 */
export function attempt<T>(
  signal: AbortSignal | undefined,
  begin: (outcome: AttemptOutcome<T>) => () => void,
): Promise<T> {
  if (signal?.aborted) return Promise.reject(abortError(signal));
  return new Promise<T>((resolve, reject) => {
    let giveUp = (): void => {};
    const abort = (): void => {
      giveUp();
      if (signal !== undefined) reject(abortError(signal));
    };
    const settled = (): void => signal?.removeEventListener('abort', abort);
    signal?.addEventListener('abort', abort, { once: true });
    try {
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
    } catch (error) {
      settled();
      reject(error);
    }
  });
}
