import type { Socket } from 'node:net';
import { closeSocket, duplicateSocket, keepSocket, localName, openSocket } from '@nitro-enclaves/native';
import { CoalescingSocket } from './coalescing-socket.ts';
import { handleDescriptor, handleOf } from './handle.ts';
import { nameFamily } from './socket-family.ts';

const AF_UNIX = 1;
/** `PipeConstants.SOCKET` of Node's src/pipe_wrap.cc. */
const PIPE_SOCKET = 0;

/*
 * Node and libuv know nothing of AF_VSOCK, and refuse a descriptor whose kind they do not know. But they look only once,
 * when the socket is made, and register its number with epoll when the event loop next polls. So the socket is made of an
 * AF_UNIX descriptor, and in the same tick the connection is put in its place, under the same number.
 */

/** A `net.Socket` of a connected, non-blocking descriptor, which belongs to the socket from then on. */
export function adoptDescriptor(
  descriptor: number,
  family: number,
  { allowHalfOpen }: { allowHalfOpen: boolean },
): Socket {
  const options = { readable: true, writable: true, allowHalfOpen };
  let socket: Socket;
  try {
    socket = openDecoy(options);
  } catch (error) {
    closeSocket(descriptor);
    throw error;
  }
  try {
    if (!isSwapped(socket, descriptor, family)) return openOnPipe(socket, descriptor, options);
  } catch (error) {
    socket.destroy();
    closeSocket(descriptor);
    throw error;
  }
  closeSocket(descriptor);
  return socket;
}

/** Puts the connection in the place of the decoy; whether it is now found there. */
function isSwapped(socket: Socket, descriptor: number, family: number): boolean {
  const decoy = handleDescriptor(socket);
  if (decoy === undefined) return false;
  duplicateSocket(descriptor, decoy);
  return nameFamily(localName(decoy)) === family;
}

interface AdoptOptions {
  readonly readable: boolean;
  readonly writable: boolean;
  readonly allowHalfOpen: boolean;
}

function openDecoy(options: AdoptOptions): Socket {
  const decoy = openSocket(AF_UNIX);
  try {
    const socket = new CoalescingSocket({ ...options, fd: decoy });
    keepSocket(decoy);
    return socket;
  } catch (error) {
    closeSocket(decoy);
    throw error;
  }
}

/**
 * Should Node ever keep the number elsewhere: its Pipe takes any descriptor unseen, by `open`. The class is not
 * public, so it is taken from the socket made for nothing.
 */
function openOnPipe(decoy: Socket, descriptor: number, options: AdoptOptions): Socket {
  const Pipe: unknown = handleOf(decoy)?.constructor;
  decoy.destroy();
  if (typeof Pipe !== 'function') throw unadoptable();
  const handle: unknown = Reflect.construct(Pipe, [PIPE_SOCKET]);
  const open: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'open') : undefined;
  if (typeof open !== 'function') throw unadoptable();
  const refused: unknown = Reflect.apply(open, handle, [descriptor]);
  if (typeof refused === 'number' && refused !== 0) throw unadoptable();
  keepSocket(descriptor);
  // `handle` is an option of net.Socket that its types do not know.
  const withHandle = Object.assign({ ...options }, { handle });
  return new CoalescingSocket(withHandle);
}

function unadoptable(): Error {
  const message = `expected a Node that makes a socket of a descriptor, found ${process.version}`;
  return Object.assign(new Error(message), { code: 'ERR_INVALID_FD_TYPE' });
}
