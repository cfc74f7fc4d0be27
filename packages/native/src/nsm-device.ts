import { addon } from './addon.ts';
import { systemError } from './error.ts';
import { reports } from './reports.ts';

/** `NSM_REQUEST_MAX_SIZE` of Linux, drivers/misc/nsm.c. */
const NSM_REQUEST_MAX_SIZE = 0x1000;

/** An open NSM device. Requests are answered one after the other, in order, as the driver does. */
export interface NativeNsmDevice {
  /**
   * Sends one request (CBOR, at most 4096 bytes) and resolves to its answer. The driver waits up to 120 s for the
   * device, on a thread of its own. An aborted request that has begun goes on: its answer is thrown away, and it keeps
   * neither the process alive nor `close` waiting.
   * @throws {SystemError} `EMSGSIZE` request too long, `ETIMEDOUT` no answer in 120 s, `EBADF` device closed, or what
   * else the driver reports (`EIO`, `ENODATA`, `ENOTTY` for what is no NSM).
   * @throws {Error} `AbortError` when `signal` is aborted.
   */
  request(bytes: Uint8Array, options?: { signal?: AbortSignal | undefined }): Promise<Uint8Array>;
  /**
   * Closes the device when the request under way is answered, or nobody waits for that any more; those that wait are refused
   * with `EBADF`.
   */
  close(): Promise<void>;
}

interface PendingRequest {
  readonly bytes: Uint8Array;
  /** Whether nobody waits for its answer any more. */
  isAborted: boolean;
  resolve(answer: Uint8Array): void;
  reject(error: Error): void;
}

const EBADF = -9;
const EMSGSIZE = -90;

function abortError(signal: AbortSignal): Error {
  const error = new Error('The operation was aborted', { cause: signal.reason });
  error.name = 'AbortError';
  return Object.assign(error, { code: 'ABORT_ERR' });
}

class NsmDescriptor implements NativeNsmDevice {
  readonly #id: number;
  readonly #waiting: PendingRequest[] = [];
  #underWay: { readonly id: number; readonly pending: PendingRequest } | undefined;
  #closed: Promise<void> | undefined;
  #isClosing = false;
  #resolveClosed = (): void => {};

  constructor(id: number) {
    this.#id = id;
  }

  async request(bytes: Uint8Array, { signal }: { signal?: AbortSignal | undefined } = {}): Promise<Uint8Array> {
    if (bytes.byteLength > NSM_REQUEST_MAX_SIZE) throw systemError('ioctl', EMSGSIZE);
    if (this.#closed !== undefined) throw systemError('ioctl', EBADF);
    if (signal?.aborted) throw abortError(signal);
    return new Promise<Uint8Array>((resolve, reject) => {
      const abort = (): void => {
        this.#abandon(pending);
        if (signal !== undefined) reject(abortError(signal));
      };
      const settle = (): void => signal?.removeEventListener('abort', abort);
      const pending: PendingRequest = {
        bytes,
        isAborted: false,
        resolve: (answer) => {
          settle();
          resolve(answer);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      };
      signal?.addEventListener('abort', abort, { once: true });
      this.#waiting.push(pending);
      this.#next();
    });
  }

  close(): Promise<void> {
    this.#closed ??= new Promise<void>((resolve) => {
      this.#resolveClosed = resolve;
      for (const { reject } of this.#waiting.splice(0)) reject(systemError('ioctl', EBADF));
    });
    this.#closeUnlessAwaited();
    return this.#closed;
  }

  #abandon(pending: PendingRequest): void {
    pending.isAborted = true;
    const index = this.#waiting.indexOf(pending);
    if (index >= 0) this.#waiting.splice(index, 1);
    this.#holdWhileAwaited();
    if (this.#closed !== undefined) this.#closeUnlessAwaited();
  }

  /** A request that nobody waits for, with nobody behind it, does not keep the process alive. */
  #holdWhileAwaited(): void {
    if (this.#underWay === undefined) return;
    const { id, pending } = this.#underWay;
    if (pending.isAborted && this.#waiting.length === 0) reports().release(id);
    else reports().hold(id);
  }

  #closeUnlessAwaited(): void {
    const { pending } = this.#underWay ?? {};
    if (this.#isClosing || pending?.isAborted === false) return;
    this.#isClosing = true;
    reports().add(this.#id, () => {
      reports().remove(this.#id);
      this.#resolveClosed();
    });
    if (pending !== undefined) {
      // The thread closes when the driver lets go of it, which may take two minutes.
      reports().release(this.#id);
      this.#resolveClosed();
    }
    addon().nsmClose(this.#id);
  }

  #next(): void {
    if (this.#underWay !== undefined) {
      this.#holdWhileAwaited();
      return;
    }
    const pending = this.#waiting.shift();
    if (pending === undefined) return;
    const id = addon().nsmRequest(this.#id, pending.bytes);
    if (id < 0) {
      pending.reject(systemError('ioctl', id));
      this.#next();
      return;
    }
    this.#underWay = { id, pending };
    reports().add(id, (_id, result, answer) => {
      reports().remove(id);
      this.#underWay = undefined;
      if (answer === undefined) pending.reject(systemError('ioctl', result));
      else pending.resolve(answer);
      if (this.#closed === undefined) this.#next();
      else this.#closeUnlessAwaited();
    });
  }
}

/**
 * Opens the NSM device at `path`, which is `/dev/nsm` in an enclave.
 * @throws {SystemError} `ENOENT` where there is none, `EACCES`.
 * @throws {NativeUnavailableError} on a machine that the addon is not built for.
 */
export function openNsmDevice(path: string): NativeNsmDevice {
  reports();
  const id = addon().nsmOpen(path);
  if (id < 0) throw systemError('open', id, path);
  return new NsmDescriptor(id);
}
