import type { Socket } from 'node:net';
import { NativeUnavailableError } from '@nitro-enclaves/native';
import type { DescriptorRelay, RelayOutcome } from '@nitro-enclaves/native/relay';
import { relayDescriptors } from '@nitro-enclaves/native/relay';
import { handleDescriptor, handleOf } from './handle.ts';

export type { RelayOutcome } from '@nitro-enclaves/native/relay';

/** Node's handles that are a kernel socket and nothing more: TLS, or a stream made in JavaScript, is another. */
const PLAIN_HANDLES: ReadonlySet<string> = new Set(['TCP', 'Pipe']);

/** Until it has been tried. */
let isAvailable = true;

/** Whether nothing but its descriptor is needed to go on with a socket, once what has been read of it is taken out. */
function isPlain(socket: Socket): boolean {
  const isOpen = !socket.destroyed && !socket.connecting && !socket.writableEnded && socket.allowHalfOpen;
  const isUntouched = socket.writableLength === 0 && socket.readableEncoding === null;
  return isOpen && isUntouched && PLAIN_HANDLES.has(handleOf(socket)?.constructor.name ?? '');
}

/** Takes out what Node has read: as a whole up to Node 24, piece by piece from Node 26 on. */
function takeRead(socket: Socket): Uint8Array | undefined {
  const pieces: Uint8Array[] = [];
  for (let read: unknown = socket.read(); read instanceof Uint8Array; read = socket.read()) pieces.push(read);
  return pieces.length === 0 ? undefined : Buffer.concat(pieces);
}

/** Has Node read nothing more. In the turn of the event loop in which the relay begins, so that it has not read since. */
function stopReading(socket: Socket): void {
  const handle = handleOf(socket);
  const stop: unknown = handle === undefined ? undefined : Reflect.get(handle, 'readStop');
  if (handle !== undefined && typeof stop === 'function') Reflect.apply(stop, handle, []);
}

function join(from: Socket, to: Socket, idleTimeout: number): DescriptorRelay | undefined {
  const [first, second] = [handleDescriptor(from), handleDescriptor(to)];
  if (first === undefined || second === undefined) return undefined;
  const [forward, back] = [takeRead(from), takeRead(to)];
  try {
    const relay = relayDescriptors(first, second, { idleTimeout, forward, back });
    for (const socket of [from, to]) stopReading(socket);
    return relay;
  } catch (error) {
    if (error instanceof NativeUnavailableError) isAvailable = false;
    // No addon, descriptor or memory: nothing has been sent, and the sockets are as they were.
    if (forward !== undefined) from.unshift(forward);
    if (back !== undefined) to.unshift(back);
    return undefined;
  }
}

async function settle(relay: DescriptorRelay, from: Socket, to: Socket): Promise<RelayOutcome> {
  const [sentForward, sentBack] = [to.bytesWritten, from.bytesWritten];
  for (const socket of [from, to]) socket.on('error', () => undefined).once('close', () => relay.breakOff());
  const { end, bytesForward, bytesBack } = await relay.outcome;
  from.destroy();
  to.destroy();
  return { end, bytesForward: sentForward + bytesForward, bytesBack: sentBack + bytesBack };
}

/**
 * Joins two sockets outside of the event loop until both have ended, as `relayDescriptors` of `@nitro-enclaves/native/relay`
 * says; what Node has read of them already goes first. Until then both sockets stay open and do nothing: whoever counts
 * them, waits for their `close` or destroys them does so as ever, and destroying one breaks both off. They are destroyed at
 * the end. The outcome's bytes include what was written to the sockets before.
 * @param idleTimeout - ms without a byte in either direction; 0: no limit.
 * @returns `undefined`, with nothing done, where that cannot be: TLS, sockets with unsent bytes, or without `allowHalfOpen`; no
 * addon for this machine, or no descriptor to spare.
 */
export function relaySockets(from: Socket, to: Socket, idleTimeout: number): Promise<RelayOutcome> | undefined {
  if (!isAvailable || !isPlain(from) || !isPlain(to)) return undefined;
  const relay = join(from, to, idleTimeout);
  return relay === undefined ? undefined : settle(relay, from, to);
}
