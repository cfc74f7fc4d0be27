export type { VsockAddress } from './address.ts';
export {
  formatCid,
  formatVsockAddress,
  VMADDR_CID_ANY,
  VMADDR_CID_HOST,
  VMADDR_CID_HYPERVISOR,
  VMADDR_CID_LOCAL,
  VMADDR_CID_PARENT,
  VMADDR_PORT_ANY,
} from './address.ts';
export type { VsockError } from './error.ts';
export type { VsockSocket } from './socket.ts';
export { isVsockSocket } from './socket.ts';
export type {
  Transport,
  VsockConnectOptions,
  VsockDrop,
  VsockListenOptions,
  VsockServer,
  VsockServerEvents,
  VsockServerOptions,
} from './transport.ts';
export type { UnixTransportOptions } from './unix-transport.ts';
export { unixTransport } from './unix-transport.ts';
export { vsockTransport } from './vsock-transport.ts';
