import { connect } from 'node:net';
import { pipeline } from 'node:stream';
import type { Transport, VsockServer, VsockSocket } from '@nitro-enclaves/vsock';

/** Where AWS's vsock-proxy listens for KMS by default. */
export const KMS_RELAY_PORT = 8000;

function relay(socket: VsockSocket, target: { host: string; port: number }): void {
  const upstream = connect({ ...target, allowHalfOpen: true });
  const cut = (error: unknown) => {
    if (!error) return;
    socket.destroy();
    upstream.destroy();
  };
  pipeline([socket, upstream], cut);
  pipeline([upstream, socket], cut);
}

/** Forwards what enclaves send to `port` of the parent to the KMS at `target`: bytes only, TLS ends in the enclave. */
export async function startKmsRelay(
  transport: Transport,
  target: { readonly host: string; readonly port: number },
  port: number = KMS_RELAY_PORT,
): Promise<VsockServer> {
  const server = transport.createServer({ allowHalfOpen: true }, (socket) => relay(socket, target));
  // A connection that could not be taken is its own client's trouble; without a listener it would end this process.
  server.on('error', () => undefined);
  return server.listen({ port });
}
