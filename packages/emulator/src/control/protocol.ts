import { NitroEnclavesError } from '@nitro-enclaves/core';
import type { DescribeOptions } from '../hypervisor/emulated-enclave.ts';
import type { RunEnclaveOptions } from '../hypervisor/run-options.ts';

/** Name of the control socket in an emulator's folder. */
export const CONTROL_SOCKET = 'control.sock';

/** What is asked over the control socket: one line of JSON, one question a connection. */
export type ControlRequest =
  | { readonly command: 'run-enclave'; readonly options: RunEnclaveOptions }
  | { readonly command: 'describe-enclaves'; readonly options: DescribeOptions }
  | { readonly command: 'terminate-enclave'; readonly enclave: string }
  | { readonly command: 'console'; readonly enclave: string };

/** The answer: one line of JSON. After that of `console` come the console's bytes until the enclave ends. */
export type ControlAnswer =
  | { readonly result: unknown }
  | { readonly error: { readonly name: string; readonly code: string; readonly message: string } };

/** Longest line of a request, in bytes. */
export const MAX_REQUEST_BYTES: number = 1 << 20;

/** The answer that tells of an error. */
export function describeError(error: unknown): ControlAnswer {
  if (error instanceof NitroEnclavesError) {
    const { name, code, message } = error;
    return { error: { name, code, message } };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { error: { name: 'Error', code: 'EMULATOR_INTERNAL', message } };
}

/** The error that an answer tells of, of the class it was by name. */
export function errorOf({ name, code, message }: { name: string; code: string; message: string }): Error {
  const error = new NitroEnclavesError(code, message);
  error.name = name;
  return error;
}
