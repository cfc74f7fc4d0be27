import type { Transport, VsockServer } from '@nitro-enclaves/vsock';
import { VMADDR_CID_PARENT } from '@nitro-enclaves/vsock';
import { MAX_BUNDLE_BYTES } from './bundle.ts';
import { TlsServerError } from './error.ts';

/** vsock port of the parent on which the bundle is to be had. */
export const BUNDLE_PORT = 8003;

const IDLE_TIMEOUT_MS = 10_000;

/** Fetches the bundle of the moment from the parent, as it is. */
export async function fetchBundle(transport: Transport, signal: AbortSignal): Promise<Uint8Array> {
  try {
    const socket = await transport.connect({ cid: VMADDR_CID_PARENT, port: BUNDLE_PORT, signal });
    const giveUp = () => socket.destroy(new Error('it did not come in time'));
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      const pieces: Buffer[] = [];
      let length = 0;
      for await (const piece of socket) {
        length += piece.length;
        if (length > MAX_BUNDLE_BYTES) throw new RangeError(`it is longer than ${MAX_BUNDLE_BYTES} bytes`);
        pieces.push(piece);
      }
      return Buffer.concat(pieces);
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  } catch (cause) {
    throw new TlsServerError('BUNDLE_UNAVAILABLE', 'expected the parent to give the bundle', { cause });
  }
}

/** The parent's side: gives whoever connects what `read` reads, at that moment. */
export async function serveBundle(transport: Transport, read: () => Promise<Uint8Array>): Promise<VsockServer> {
  const server = transport.createServer({ maxConnections: 8 }, (socket) => {
    socket.setTimeout(IDLE_TIMEOUT_MS, () => socket.destroy());
    socket.on('error', () => undefined);
    read().then(
      (bundle) => socket.end(bundle),
      (error: unknown) => {
        console.error(`no bundle: ${error instanceof Error ? error.message : String(error)}`);
        socket.destroy();
      },
    );
  });
  await server.listen({ port: BUNDLE_PORT });
  return server;
}
