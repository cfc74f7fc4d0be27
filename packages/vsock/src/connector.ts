import type { Socket } from 'node:net';
import { isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { connect as connectTls } from 'node:tls';
import type { Destination, VsockDestination } from './agent-options.ts';
import { resolveDestination } from './agent-options.ts';
import { connectTimeout } from './attempt.ts';
import { vsockError } from './error.ts';

/** What undici says of the connection it wants. */
export interface ConnectRequest {
  readonly hostname: string;
  readonly protocol: string;
  readonly servername?: string | null | undefined;
}

/** How undici is told. */
export type ConnectCallback = (...outcome: [null, Socket] | [Error, null]) => void;

/** TLS options for `https:` origins, and whether to offer HTTP/2. */
export interface VsockConnectorOptions
  extends VsockDestination,
    Omit<ConnectionOptions, 'port' | 'host' | 'servername' | 'socket'> {
  /** Offers HTTP/2 to `https:` origins; give undici's `Agent` the same option. */
  allowH2?: boolean | undefined;
}

/**
 * The `connect` option of undici's dispatchers, so also of `fetch` through one of these: all connections go to one vsock
 * address, whatever host the URL names; that host is whom TLS must prove to be.
 */
export function vsockConnector(
  options: VsockConnectorOptions,
): (request: ConnectRequest, callback: ConnectCallback) => void {
  const { cid, port, transport, connectTimeout: timeout, allowH2, ...tls } = options;
  const destination = resolveDestination({ cid, port, transport, connectTimeout: timeout });
  const secure: ConnectionOptions = { ALPNProtocols: allowH2 ? ['h2', 'http/1.1'] : ['http/1.1'], ...tls };
  return (request, callback) => {
    open(destination, secure, request).then(
      (socket) => callback(null, socket),
      (error: Error) => callback(error, null),
    );
  };
}

async function open(destination: Destination, secure: ConnectionOptions, request: ConnectRequest): Promise<Socket> {
  const { transport, cid, port, timeout } = destination;
  const socket = await transport.connect({ cid, port, timeout });
  if (request.protocol !== 'https:') return socket;
  const servername = request.servername ?? request.hostname;
  // A server name that is an address is against RFC 6066; `host` is what the certificate is checked against then.
  const name = isIP(servername) === 0 ? { servername } : { host: servername };
  try {
    return await handshake(connectTls({ ...secure, ...name, socket }), destination);
  } catch (error) {
    // Also where TLS refuses its options, and there is nothing yet that would close the connection.
    socket.destroy();
    throw error;
  }
}

function handshake<S extends Socket>(socket: S, destination: Destination): Promise<S> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      socket.destroy(
        vsockError({ code: 'ETIMEDOUT', syscall: 'connect', address: destination, hint: 'TLS handshake' }),
      );
    }, connectTimeout(destination));
    const failed = (error: Error): void => {
      clearTimeout(timer);
      reject(error);
    };
    socket.once('error', failed);
    socket.once('secureConnect', () => {
      clearTimeout(timer);
      socket.off('error', failed);
      resolve(socket);
    });
  });
}
