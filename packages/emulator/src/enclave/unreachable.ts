import { constants } from 'node:os';
import type { VsockAddress, VsockError } from '@nitro-enclaves/vsock';
import { formatCid, formatVsockAddress } from '@nitro-enclaves/vsock';

/** The error of a connection to a machine that an enclave cannot reach, in Node's shape. */
export function unreachable({ cid, port }: VsockAddress): VsockError {
  const message = `connect ENODEV ${formatVsockAddress({ cid, port })}: an enclave reaches its parent (CID 3) only`;
  return Object.assign(new Error(message), {
    code: 'ENODEV',
    errno: -constants.errno.ENODEV,
    syscall: 'connect',
    address: formatCid(cid),
    cid,
    port,
  });
}
