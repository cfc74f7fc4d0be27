/** Ends the wait at the deadline, or when `signal` is aborted, even where `body` does not heed the signal it is given. */
export async function withDeadline<T>(
  { timeout, signal }: { timeout: number; signal?: AbortSignal | undefined },
  body: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const deadline = new AbortController();
  let end: (reason: unknown) => void = () => undefined;
  const ended = new Promise<never>((_, reject) => {
    end = (reason) => {
      deadline.abort(reason);
      reject(reason);
    };
  });
  const timer = setTimeout(() => end(new Error(`no answer within ${timeout} ms`)), timeout);
  const abort = () => end(signal?.reason);
  signal?.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([body(deadline.signal), ended]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  }
}

/** Ends the wait for `work`, which goes on, when `signal` is aborted. */
export function abortable<Result>(work: Promise<Result>, signal: AbortSignal | undefined): Promise<Result> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
