import { nativeTransport } from './native-transport.ts';
import { vsockFamily } from './socket-family.ts';
import type { Transport } from './transport.ts';

/**
 * The transport of a real enclave and its parent: AF_VSOCK of the Linux kernel. Makes no call before it is used.
 * @throws {NativeUnavailableError} when used on a machine that the addon is not built for.
 */
export function vsockTransport(): Transport {
  return nativeTransport(vsockFamily);
}
