import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import type { VsockSocket } from '@nitro-enclaves/vsock';
import type { Target } from './allow-list.ts';
import { parseClientHello } from './client-hello.ts';
import { parseConnectRequest } from './connect-request.ts';
import type { DialOptions } from './dial.ts';
import { dial } from './dial.ts';
import { ProxyError } from './error.ts';
import { peek } from './peek.ts';
import type { WorldDestination } from './route.ts';

/** The way out of one connection: where it leads, and the socket there. */
export interface Egress {
  readonly target: string;
  readonly upstream: Socket;
}

function describe({ host, port }: Target): string {
  return `${host}:${port}`;
}

async function dialTarget(target: Target, cid: number, options: DialOptions): Promise<Egress> {
  return { target: describe(target), upstream: await dial(target, cid, options) };
}

/** The ClientHello goes on as it came: TLS is between the enclave and the server. */
async function dialBySni(socket: VsockSocket, port: number, options: DialOptions): Promise<Egress> {
  const { result, bytes } = await peek(socket, parseClientHello, options.connectTimeout);
  if (result.kind === 'refused')
    throw new ProxyError('CLIENT_HELLO_REFUSED', `expected a TLS ClientHello, found ${result.reason}`);
  if (result.serverName === undefined)
    throw new ProxyError('CLIENT_HELLO_REFUSED', 'expected a TLS ClientHello with a server name, found none');
  const egress = await dialTarget({ host: result.serverName, port }, socket.remoteCid, options);
  egress.upstream.write(bytes);
  return egress;
}

const STATUS_BY_CODE: ReadonlyMap<string, number> = new Map([
  ['TARGET_NOT_ALLOWED', 403],
  ['ADDRESS_NOT_ALLOWED', 403],
  ['CONNECT_TIMEOUT', 504],
]);

function answer(socket: Socket, status: number): void {
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n`;
  if (status === 200) socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
  else socket.end(`${head}content-length: 0\r\nconnection: close\r\n\r\n`);
}

async function dialByConnect(socket: VsockSocket, options: DialOptions): Promise<Egress> {
  const { result, bytes } = await peek(socket, parseConnectRequest, options.connectTimeout);
  if (result.kind === 'refused') {
    answer(socket, result.status);
    throw new ProxyError('CONNECT_REQUEST_REFUSED', `expected an HTTP CONNECT request, found ${result.reason}`);
  }
  try {
    const egress = await dialTarget(result.target, socket.remoteCid, options);
    answer(socket, 200);
    // Not back into the socket: its end may have been read too.
    egress.upstream.write(bytes.subarray(result.headBytes));
    return egress;
  } catch (error) {
    answer(socket, (error instanceof ProxyError ? STATUS_BY_CODE.get(error.code) : undefined) ?? 502);
    throw error;
  }
}

function dialUnix(path: string, timeout: number): Promise<Egress> {
  return new Promise((resolve, reject) => {
    const upstream = connect({ path, allowHalfOpen: true });
    const timer = setTimeout(() => upstream.destroy(new Error('no answer in time')), timeout);
    upstream.once('error', (cause) => {
      clearTimeout(timer);
      reject(new ProxyError('CONNECT_FAILED', `expected a service at the Unix socket ${path}, found none`, { cause }));
    });
    upstream.once('connect', () => {
      clearTimeout(timer);
      upstream.removeAllListeners('error');
      resolve({ target: `unix:${path}`, upstream });
    });
  });
}

/**
 * Finds out where the enclave behind `socket` wants to go, and connects there.
 * @throws {ProxyError} of every code but `CONFIG_INVALID`; the peer of a CONNECT route has been answered then.
 */
export function openEgress(socket: VsockSocket, to: WorldDestination, options: DialOptions): Promise<Egress> {
  if (to.kind === 'tcp') return dialTarget(to, socket.remoteCid, options);
  if (to.kind === 'sni') return dialBySni(socket, to.port, options);
  if (to.kind === 'connect') return dialByConnect(socket, options);
  return dialUnix(to.path, options.connectTimeout);
}
