import type { Socket } from 'node:net';

function discount(socket: Socket, name: 'bytesRead' | 'bytesWritten', count: number): Socket {
  const counter = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(socket), name)?.get;
  if (counter === undefined) return socket;
  const get = (): number => Math.max(0, Number(counter.call(socket)) - count);
  return Object.defineProperty(socket, name, { get, enumerable: true, configurable: true });
}

/** Leaves the first `count` bytes received out of `bytesRead`: they were the transport's, not the application's. */
export function discountRead(socket: Socket, count: number): Socket {
  return discount(socket, 'bytesRead', count);
}

/** Leaves the first `count` bytes sent out of `bytesWritten`. */
export function discountWritten(socket: Socket, count: number): Socket {
  return discount(socket, 'bytesWritten', count);
}
