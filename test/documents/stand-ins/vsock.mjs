// The package vsock where there is no AF_VSOCK: in an emulated enclave, or on its parent, whose sockets are in a folder.
import { join } from 'node:path';
import { openEnclave } from '@nitro-enclaves/emulator/enclave';
import { unixTransport, VMADDR_CID_PARENT } from '@nitro-enclaves/vsock';

export * from '@nitro-enclaves/vsock';

const { NITRO_ENCLAVES_EMULATOR_FOLDER: parent } = process.env;
const transport =
  parent === undefined
    ? (await openEnclave()).transport
    : unixTransport({ folder: join(parent, 'vsock'), cid: VMADDR_CID_PARENT });

export const vsockTransport = () => transport;
export const connect = (options) => transport.connect(options);
export const createServer = (options, handler) => transport.createServer(options, handler);
