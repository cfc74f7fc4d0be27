import type { Socket } from 'node:net';
import { connect } from 'node:net';
import type { NsmDevice, NsmDeviceRequestOptions } from '@nitro-enclaves/nsm';
import { NSM_REQUEST_MAX_SIZE, NSM_RESPONSE_MAX_SIZE, NsmError } from '@nitro-enclaves/nsm';
import { encodeFrame, FrameReader } from './frames.ts';

interface Waiting {
  resolve(response: Uint8Array): void;
  reject(error: Error): void;
}

function abortError(signal: AbortSignal): Error {
  const error = new Error('The operation was aborted', { cause: signal.reason });
  error.name = 'AbortError';
  return Object.assign(error, { code: 'ABORT_ERR' });
}

function closed(): NsmError {
  return new NsmError('NSM_CLOSED', 'the NSM device has been closed');
}

/** The emulated NSM of this enclave, at the other end of a Unix socket. It answers in the order of the requests. */
class SocketNsmDevice implements NsmDevice {
  readonly #socket: Socket;
  readonly #frames = new FrameReader(NSM_RESPONSE_MAX_SIZE);
  readonly #waiting: Waiting[] = [];
  #failure: NsmError | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (bytes) => this.#receive(bytes));
    socket.on('error', (cause) => this.#fail(new NsmError('NSM_DEVICE_FAILED', 'the emulated NSM is gone', { cause })));
    socket.on('close', () => this.#fail(new NsmError('NSM_DEVICE_FAILED', 'the emulator has ended')));
    // A device that nobody waits for does not keep the application alive, as /dev/nsm does not.
    socket.unref();
  }

  request(bytes: Uint8Array, { signal }: NsmDeviceRequestOptions = {}): Promise<Uint8Array> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (signal?.aborted) return Promise.reject(abortError(signal));
    if (bytes.length > NSM_REQUEST_MAX_SIZE) {
      const sentence = `expected a request of at most ${NSM_REQUEST_MAX_SIZE} bytes, found ${bytes.length} (EMSGSIZE)`;
      return Promise.reject(new NsmError('NSM_DEVICE_FAILED', sentence));
    }
    return new Promise((resolve, reject) => {
      const abort = () => reject(signal && abortError(signal));
      signal?.addEventListener('abort', abort, { once: true });
      const settle = () => signal?.removeEventListener('abort', abort);
      this.#waiting.push({
        resolve: (response) => {
          settle();
          resolve(response);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      });
      this.#socket.ref();
      this.#socket.write(encodeFrame(bytes));
    });
  }

  async close(): Promise<void> {
    this.#fail(closed());
    this.#socket.destroy();
  }

  #receive(bytes: Uint8Array): void {
    try {
      for (const response of this.#frames.push(bytes)) this.#waiting.shift()?.resolve(response);
    } catch (cause) {
      this.#fail(new NsmError('NSM_DEVICE_FAILED', 'the emulated NSM sent no response', { cause }));
      this.#socket.destroy();
    }
    if (this.#waiting.length === 0) this.#socket.unref();
  }

  /** The first failure is what every request is told from then on. */
  #fail(failure: NsmError): void {
    this.#failure ??= failure;
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failure);
  }
}

/**
 * Opens the NSM that an emulator serves on the Unix socket `path`.
 * @throws {NsmError} `NSM_UNAVAILABLE` when nobody serves there.
 */
export function openSocketNsmDevice(path: string): Promise<NsmDevice> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    const fail = (cause: Error) =>
      reject(
        new NsmError('NSM_UNAVAILABLE', `expected the emulated NSM at ${path}: is the emulator running?`, { cause }),
      );
    socket.once('error', fail);
    socket.once('connect', () => {
      socket.off('error', fail);
      resolve(new SocketNsmDevice(socket));
    });
  });
}
