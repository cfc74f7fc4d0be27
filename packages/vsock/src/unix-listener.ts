import type { Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import type { VsockAddress } from './address.ts';
import { VMADDR_CID_ANY, VMADDR_CID_LOCAL, VMADDR_PORT_ANY } from './address.ts';
import { errorCode, vsockError } from './error.ts';
import type { Listener, ListenerEvents, ListenRequest } from './listener.ts';
import { attachEndpoints } from './socket.ts';
import { discountRead } from './unix-count.ts';
import { createFolder, ephemeralPort, removeDeadSocket, socketPath } from './unix-folder.ts';
import { awaitPreface, PREFACE_LENGTH } from './unix-preface.ts';

/** The machine that a listener is of: its CID, and the folder in which its sockets are. */
export interface UnixMachine {
  readonly folder: string;
  readonly cid: number;
}

/** Opens the socket of `request` in the folder of `machine`. */
export async function openUnixListener(
  machine: UnixMachine,
  request: ListenRequest,
  events: ListenerEvents,
): Promise<Listener> {
  const bindCid = request.cid === VMADDR_CID_ANY || request.cid === VMADDR_CID_LOCAL ? machine.cid : request.cid;
  if (bindCid !== machine.cid) throw vsockError({ code: 'EADDRNOTAVAIL', syscall: 'bind', address: request });
  await createFolder(machine.folder);
  const pending = new Set<Socket>();
  const server = createServer({ allowHalfOpen: request.allowHalfOpen });
  const port = await bindPort(server, machine, request);
  const address = { cid: request.cid, port };
  server.on('connection', (socket) => {
    pending.add(socket);
    socket.once('close', () => pending.delete(socket));
    awaitPreface(socket, ({ remote, dialledCid }) => {
      pending.delete(socket);
      events.arrival({
        remote,
        local: { cid: dialledCid, port },
        accept: () =>
          attachEndpoints(discountRead(socket, PREFACE_LENGTH), { remote, local: { cid: dialledCid, port } }),
        refuse: () => socket.destroy(),
      });
    });
  });
  server.on('error', events.error);
  return {
    address,
    close: async () => {
      server.close();
      for (const socket of pending) socket.destroy();
    },
    ref: () => server.ref(),
    unref: () => server.unref(),
  };
}

async function bindPort(server: Server, machine: UnixMachine, { cid, port, backlog }: ListenRequest): Promise<number> {
  const anyPort = port === 0 || port === VMADDR_PORT_ANY;
  for (;;) {
    const candidate = anyPort ? ephemeralPort() : port;
    const path = socketPath(machine.folder, { cid: machine.cid, port: candidate });
    try {
      await bindPath(server, path, backlog);
      return candidate;
    } catch (error) {
      const code = errorCode(error) ?? 'EIO';
      if (code !== 'EADDRINUSE') throw bindError(code, { cid, port: candidate }, error);
      if (!anyPort && !(await removeDeadSocket(path))) throw bindError(code, { cid, port }, error);
    }
  }
}

function bindError(code: string, address: VsockAddress, cause: unknown): Error {
  return vsockError({ code, syscall: 'bind', address }, cause);
}

function bindPath(server: Server, path: string, backlog: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    // Exclusive: a cluster's workers do not share a vsock port either.
    server.listen({ path, backlog, exclusive: true }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
