import type { AcceptedSocket, SocketListener } from '@nitro-enclaves/native';
import {
  bindSocket,
  closeSocket,
  connectSocket,
  duplicateSocket,
  listenSocket,
  localName,
  openSocket,
} from '@nitro-enclaves/native';
import { AF_INET, AF_UNIX, loopbackName, unixName } from './names.ts';

/** A listener, what it is called, and who came. */
export interface Listening {
  readonly listener: SocketListener;
  readonly name: Uint8Array;
  readonly accepted: AcceptedSocket[];
}

/** Listens on an abstract Unix name, or on a port of the loopback. Whoever comes is kept, or hung up on at once. */
export function listenOn(family: number, { name = nameFor(family), keep = true } = {}): Listening {
  const descriptor = openSocket(family);
  bindSocket(descriptor, name);
  const bound = localName(descriptor);
  const accepted: AcceptedSocket[] = [];
  const listener = listenSocket(descriptor, 511, {
    accepted: (socket) => {
      if (keep) accepted.push(socket);
      else closeSocket(socket.descriptor);
    },
    failed: (error) => {
      throw error;
    },
  });
  return { listener, name: bound, accepted };
}

function nameFor(family: number): Uint8Array {
  return family === AF_INET ? loopbackName(0) : unixName();
}

/** Connects to `name`; the caller's is the descriptor. */
export function connectTo(name: Uint8Array, timeout = 60_000): Promise<number> {
  const { connection } = startConnecting(name, timeout);
  return connection;
}

/** Begins to connect to `name`. */
export function startConnecting(
  name: Uint8Array,
  timeout = 60_000,
): { connection: Promise<number>; cancel: () => void } {
  const descriptor = openSocket(name[0] ?? AF_UNIX);
  let cancel = (): void => {};
  const connection = new Promise<number>((resolve, reject) => {
    cancel = connectSocket(descriptor, name, { timeout, connected: resolve, failed: reject });
  });
  return { connection, cancel };
}

/** Ends a listener and everything that it accepted. */
export async function closeListening({ listener, accepted }: Listening): Promise<void> {
  await listener.close();
  for (const { descriptor } of accepted.splice(0)) closeSocket(descriptor);
}

/** A listener of the loopback whose queue is full, so that connecting to it stays under way. */
export async function fullListener(): Promise<{ name: Uint8Array; close: () => Promise<void> }> {
  const descriptor = openSocket(AF_INET);
  bindSocket(descriptor, loopbackName(0));
  const name = localName(descriptor);
  // Bound and listening, but by nobody who accepts: a descriptor of its own keeps the queue.
  const keeper = openSocket(AF_INET);
  duplicateSocket(descriptor, keeper);
  const listener = listenSocket(descriptor, 0, {
    accepted: ({ descriptor: extra }) => closeSocket(extra),
    failed: () => {},
  });
  await listener.close();
  const queued: number[] = [];
  for (;;) {
    const outcome = await connectTo(name, 100).catch(() => undefined);
    if (outcome === undefined) break;
    queued.push(outcome);
  }
  return {
    name,
    close: async () => {
      closeSocket(keeper);
      for (const extra of queued) closeSocket(extra);
    },
  };
}
