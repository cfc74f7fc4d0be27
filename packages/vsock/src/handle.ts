import type { Socket } from 'node:net';

/** Node's own object behind a socket. It has no type and no documentation: whatever is found is checked. */
export function handleOf(socket: Socket): object | undefined {
  const handle: unknown = Reflect.get(socket, '_handle');
  return typeof handle === 'object' && handle !== null ? handle : undefined;
}

/** The number of the descriptor behind a socket. */
export function handleDescriptor(socket: Socket): number | undefined {
  const handle = handleOf(socket);
  const descriptor: unknown = handle === undefined ? undefined : Reflect.get(handle, 'fd');
  return typeof descriptor === 'number' && descriptor >= 0 ? descriptor : undefined;
}
