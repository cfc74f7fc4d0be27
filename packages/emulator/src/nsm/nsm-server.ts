import type { Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import type { NsmDevice } from '@nitro-enclaves/nsm';
import { NSM_REQUEST_MAX_SIZE } from '@nitro-enclaves/nsm';
import { encodeFrame, FrameReader } from '../enclave/frames.ts';

/** Serves `device` to one connection; a connection that does not keep to the frames is cut. */
function serveConnection(device: NsmDevice, socket: Socket): void {
  const frames = new FrameReader(NSM_REQUEST_MAX_SIZE);
  socket.on('error', () => socket.destroy());
  socket.on('data', (bytes) => {
    try {
      for (const request of frames.push(bytes)) {
        device.request(request).then(
          (response) => socket.write(encodeFrame(response)),
          () => socket.destroy(),
        );
      }
    } catch {
      socket.destroy();
    }
  });
}

/** The NSM of one enclave on a Unix socket. */
export interface NsmServer {
  close(): Promise<void>;
}

/** Serves `device` on the Unix socket `path`, to the processes of one enclave. */
export async function serveNsm(device: NsmDevice, path: string): Promise<NsmServer> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    serveConnection(device, socket);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ path }, resolve);
  });
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
