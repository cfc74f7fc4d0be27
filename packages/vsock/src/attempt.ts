import { abortError } from './error.ts';
import { expectInteger, LONGEST_TIMEOUT_MS } from './range.ts';

const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;

/** The two ways in which an attempt ends by itself. */
export interface AttemptOutcome<T> {
  resolve(value: T): void;
  reject(error: unknown): void;
}

/** For how long to try to connect, in ms. */
export function connectTimeout({ timeout = DEFAULT_CONNECT_TIMEOUT_MS }: { timeout?: number | undefined }): number {
  expectInteger('timeout', timeout, 1, LONGEST_TIMEOUT_MS);
  return timeout;
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
