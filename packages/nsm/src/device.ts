/** Longest request that the driver takes, in bytes (`NSM_REQUEST_MAX_SIZE` of the kernel's `drivers/misc/nsm.c`). */
export const NSM_REQUEST_MAX_SIZE = 0x1000;

/** Longest response that the driver gives, in bytes (`NSM_RESPONSE_MAX_SIZE`). A longer one would come cut off. */
export const NSM_RESPONSE_MAX_SIZE = 0x3000;

/** PCRs of a module, numbered from 0; AWS's own hardware test asserts this number. */
export const NSM_MAX_PCRS = 32;

/** What {@link NsmDevice.request} may be told beside the request. */
export interface NsmDeviceRequestOptions {
  /** Gives up waiting for the response. The module may carry the request out all the same. */
  signal?: AbortSignal;
}

/**
 * One Nitro Secure Module, real or emulated: CBOR bytes in, CBOR bytes out. Takes requests at any time, also while others
 * are under way, and answers each one with its own response, which belongs to the caller. An error of the module is a
 * response like any other; the promise is rejected only if there is no response: the device is missing, closed or broken,
 * the request is longer than {@link NSM_REQUEST_MAX_SIZE}, or the signal fired.
 */
export interface NsmDevice {
  request(bytes: Uint8Array, options?: NsmDeviceRequestOptions): Promise<Uint8Array>;
  /** Lets go of the device; requests made afterwards are rejected. Closing twice is closing once. */
  close(): Promise<void>;
}
