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
export type { VsockDestination } from './agent-options.ts';
export type { ConnectCallback, ConnectRequest, VsockConnectorOptions } from './connector.ts';
export { vsockConnector } from './connector.ts';
export type { VsockError } from './error.ts';
export { VsockAgent, VsockHttpsAgent } from './http-agent.ts';
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
export { connect, createServer } from './vsock.ts';
export { vsockTransport } from './vsock-transport.ts';
