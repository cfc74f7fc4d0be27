import type { KeyObject } from 'node:crypto';
import { connect } from 'node:net';
import { pipeline } from 'node:stream';
import type { SecureContextOptions, Server, TLSSocket } from 'node:tls';
import { createServer } from 'node:tls';
import type { Transport, VsockServer } from '@nitro-enclaves/vsock';
import type { ServerIdentity } from './identity.ts';

const HANDSHAKE_TIMEOUT_MS = 10_000;
const IDLE_TIMEOUT_MS = 120_000;
const MAX_CONNECTIONS = 2048;

function pemOf(key: KeyObject): string {
  return key.export({ format: 'pem', type: 'pkcs8' }).toString();
}

function contextOf({ certificates, key }: ServerIdentity): SecureContextOptions {
  const cert = certificates.map((certificate) => certificate.toString()).join('');
  return { cert, key: pemOf(key), minVersion: 'TLSv1.2' };
}

/** Ends TLS in the enclave, and passes on what was inside to an application on a Unix socket. */
export class TlsTerminator {
  readonly #server: Server;

  /** @param application Path of the application's Unix socket. */
  constructor(identity: ServerIdentity, application: string) {
    const options = { ...contextOf(identity), handshakeTimeout: HANDSHAKE_TIMEOUT_MS, ALPNProtocols: ['http/1.1'] };
    this.#server = createServer(options, (secure) => relay(secure, application));
    this.#server.on('tlsClientError', (_error, secure) => secure.destroy());
  }

  /** New connections get this identity; established ones go on as they are. */
  use(identity: ServerIdentity): void {
    this.#server.setSecureContext(contextOf(identity));
  }

  /** Takes connections on a vsock port, where the parent brings the world's. */
  async listen(transport: Transport, port: number): Promise<VsockServer> {
    const listener = transport.createServer({ maxConnections: MAX_CONNECTIONS }, (socket) => {
      socket.on('error', () => undefined);
      this.#server.emit('connection', socket);
    });
    await listener.listen({ port });
    return listener;
  }
}

/** Both ends fall together: an application that is away, or a client that vanishes, leaves no half of a connection. */
function relay(secure: TLSSocket, application: string): void {
  secure.setTimeout(IDLE_TIMEOUT_MS, () => secure.destroy());
  pipeline(secure, connect({ path: application }), secure, () => undefined);
}
