import { constants } from 'node:os';
import type { VsockAddress } from './address.ts';
import { formatCid, formatVsockAddress } from './address.ts';

/** A failed system call in Node's own shape, with the vsock address instead of an internet one. */
export interface VsockError extends NodeJS.ErrnoException {
  /** The kernel's name of the error, such as `ECONNREFUSED`. */
  code: string;
  /** The error's number, negative as in Node. */
  errno: number;
  /** What failed: `connect`, `bind`, `listen`, `accept`. */
  syscall: string;
  /** The CID as people read it, such as `vm(16)`. */
  address: string;
  cid: number;
  port: number;
}

const ERRNO: ReadonlyMap<string, number> = new Map(Object.entries(constants.errno));

/** Makes the error of `syscall` at `address`: its message reads `connect ECONNREFUSED vm(16):5000`. */
export function vsockError(
  { code, syscall, address, hint }: { code: string; syscall: string; address: VsockAddress; hint?: string },
  cause?: unknown,
): VsockError {
  const message = `${syscall} ${code} ${formatVsockAddress(address)}${hint === undefined ? '' : `: ${hint}`}`;
  return Object.assign(new Error(message, cause === undefined ? {} : { cause }), {
    code,
    errno: -(ERRNO.get(code) ?? 0),
    syscall,
    address: formatCid(address.cid),
    cid: address.cid,
    port: address.port,
  });
}

/** The error that Node gives whoever aborts: name `AbortError`, code `ABORT_ERR`, the signal's reason as cause. */
export function abortError(signal: AbortSignal): Error {
  const error = new Error('The operation was aborted', { cause: signal.reason });
  error.name = 'AbortError';
  return Object.assign(error, { code: 'ABORT_ERR' });
}

/** The `code` of a system error, or `undefined` for everything else. */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
