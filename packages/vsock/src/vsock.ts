import type { VsockSocket } from './socket.ts';
import type { VsockConnectOptions, VsockServer, VsockServerOptions } from './transport.ts';
import { vsockTransport } from './vsock-transport.ts';

/** Connects by AF_VSOCK: `vsockTransport().connect(options)`. */
export function connect(options: VsockConnectOptions): Promise<VsockSocket> {
  return vsockTransport().connect(options);
}

/** Makes a server for AF_VSOCK; it listens once told to. */
export function createServer(handler?: (socket: VsockSocket) => void): VsockServer;
export function createServer(options: VsockServerOptions, handler?: (socket: VsockSocket) => void): VsockServer;
export function createServer(
  options?: VsockServerOptions | ((socket: VsockSocket) => void),
  handler?: (socket: VsockSocket) => void,
): VsockServer {
  const transport = vsockTransport();
  return typeof options === 'function' ? transport.createServer({}, options) : transport.createServer(options, handler);
}
