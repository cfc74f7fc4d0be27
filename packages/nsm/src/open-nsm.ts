import type { NativeNsmDevice } from '@nitro-enclaves/native';
import { NativeUnavailableError, openNsmDevice } from '@nitro-enclaves/native';
import type { NsmDevice, NsmDeviceRequestOptions } from './device.ts';
import { NsmError } from './error.ts';
import type { NsmOptions } from './nsm.ts';
import { Nsm } from './nsm.ts';

/** Where Linux has the Nitro Secure Module. */
export const NSM_DEVICE_PATH = '/dev/nsm';

/** Options of {@link openNsm}. */
export interface OpenNsmOptions extends NsmOptions {
  /** The device file; default {@link NSM_DEVICE_PATH}. */
  path?: string;
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

function unavailable(path: string, cause: unknown): NsmError {
  const outside = 'only an enclave has one; in development use the emulator, and see `nitro-enclaves doctor`';
  const reason =
    cause instanceof NativeUnavailableError
      ? cause.message
      : codeOf(cause) === 'ENOENT'
        ? `expected the NSM at ${path}, found nothing: ${outside}`
        : `expected to open the NSM at ${path}: ${cause instanceof Error ? cause.message : String(cause)}`;
  return new NsmError('NSM_UNAVAILABLE', reason, { cause });
}

function failed(cause: unknown): unknown {
  const code = codeOf(cause);
  if (code === 'ABORT_ERR') return cause;
  if (code === 'EBADF') return new NsmError('NSM_CLOSED', 'the NSM device has been closed', { cause });
  if (code === 'ETIMEDOUT')
    return new NsmError('NSM_TIMEOUT', 'the NSM driver waited in vain for the module', { cause });
  const detail = cause instanceof Error ? cause.message : String(cause);
  return new NsmError('NSM_DEVICE_FAILED', `the NSM driver gave no response: ${detail}`, { cause });
}

/** The device of the kernel, with errors of this package. */
class KernelNsmDevice implements NsmDevice {
  readonly #device: NativeNsmDevice;

  constructor(device: NativeNsmDevice) {
    this.#device = device;
  }

  async request(bytes: Uint8Array, options?: NsmDeviceRequestOptions): Promise<Uint8Array> {
    try {
      return await this.#device.request(bytes, options);
    } catch (error) {
      throw failed(error);
    }
  }

  close(): Promise<void> {
    return this.#device.close();
  }
}

/**
 * Opens the kernel's NSM device without a client around it: for raw bytes, and for the conformance suite.
 * @throws {NsmError} `NSM_UNAVAILABLE` where there is none, or this process may not open it.
 */
export async function openNsmDeviceFile(path: string = NSM_DEVICE_PATH): Promise<NsmDevice> {
  try {
    return new KernelNsmDevice(openNsmDevice(path));
  } catch (error) {
    throw unavailable(path, error);
  }
}

/**
 * Opens the Nitro Secure Module of the enclave that this process runs in.
 * @throws {NsmError} `NSM_UNAVAILABLE` where there is none, or this process may not open it.
 */
export async function openNsm({ path, ...options }: OpenNsmOptions = {}): Promise<Nsm> {
  return new Nsm(await openNsmDeviceFile(path), options);
}
