import { addon } from './addon.ts';
import { expectSuccess, systemError } from './error.ts';
import type { Reports } from './reports.ts';
import { reports } from './reports.ts';

/*
 * Sockets by descriptor and by the kernel's own names for their ends (`struct sockaddr` as bytes): nothing here knows a
 * family. All of them are stream sockets, non-blocking, and closed on exec.
 */

/** A new socket of `family`, such as 40 for AF_VSOCK. */
export function openSocket(family: number): number {
  return expectSuccess('socket', addon().socket(family));
}

/** Closes a descriptor that {@link openSocket} or a report gave. */
export function closeSocket(descriptor: number): void {
  expectSuccess('close', addon().close(descriptor));
}

/**
 * Says that a handle of Node's will close the descriptor. All others, whether opened here or reported, are closed by the
 * addon at the end of their worker, wherever that is stopped.
 */
export function keepSocket(descriptor: number): void {
  addon().keep(descriptor);
}

/** Makes `onto` another number of the socket `from`, in place of what was open there. Both stay open. */
export function duplicateSocket(from: number, onto: number): void {
  expectSuccess('dup3', addon().duplicate(from, onto));
}

/** Gives a socket its own end's name: a `struct sockaddr` in bytes. */
export function bindSocket(descriptor: number, name: Uint8Array): void {
  expectSuccess('bind', addon().bind(descriptor, name));
}

function expectBytes(syscall: string, result: Uint8Array | number): Uint8Array {
  if (typeof result === 'number') throw systemError(syscall, result);
  return result;
}

/** What the kernel calls our end. */
export function localName(descriptor: number): Uint8Array {
  return expectBytes('getsockname', addon().localName(descriptor));
}

/** What the kernel calls the other end. */
export function peerName(descriptor: number): Uint8Array {
  return expectBytes('getpeername', addon().peerName(descriptor));
}

/** Sets a socket option; `value` is laid out as the kernel wants it. */
export function setSocketOption(descriptor: number, level: number, option: number, value: Uint8Array): void {
  expectSuccess('setsockopt', addon().setOption(descriptor, level, option, value));
}

/** A socket option's value, as the kernel lays it out. */
export function getSocketOption(descriptor: number, level: number, option: number): Uint8Array {
  return expectBytes('getsockopt', addon().getOption(descriptor, level, option));
}

/**
 * The CID that the kernel says this machine has, from /dev/vsock.
 * @throws {SystemError} `ENOENT` where the kernel has no vsock.
 */
export function localCid(): number {
  return expectSuccess('ioctl', addon().localCid());
}

/** The reports, for what has taken `descriptor` over and cannot go on without them. */
function reportsFor(descriptor: number): Reports {
  try {
    return reports();
  } catch (error) {
    closeSocket(descriptor);
    throw error;
  }
}

/** How an attempt to connect ended: exactly one of the two is called, unless it is cancelled before. */
export interface ConnectOutcome {
  connected(descriptor: number): void;
  failed(error: Error): void;
}

/**
 * Connects `descriptor` to `name`, for at most `timeout` ms, on the addon's epoll thread. The descriptor is the addon's
 * until `connected` hands it back; in every other case it is closed. Returns how to cancel.
 */
export function connectSocket(
  descriptor: number,
  name: Uint8Array,
  { timeout, connected, failed }: ConnectOutcome & { timeout: number },
): () => void {
  const receivers = reportsFor(descriptor);
  const id = addon().connect(descriptor, name, timeout);
  if (id < 0) {
    closeSocket(descriptor);
    throw systemError('connect', id);
  }
  let cancelled = false;
  receivers.add(id, (_id, result) => {
    receivers.remove(id);
    // Connected at the very moment at which it was cancelled.
    if (cancelled && result >= 0) closeSocket(result);
    if (cancelled) return;
    if (result < 0) failed(systemError('connect', result));
    else connected(result);
  });
  return () => {
    cancelled = true;
    receivers.release(id);
    addon().remove(id);
  };
}

/** A connection that has arrived: a descriptor that is the receiver's, and the names of both ends. */
export interface AcceptedSocket {
  readonly descriptor: number;
  readonly peer: Uint8Array;
  readonly local: Uint8Array;
}

/** What a listener tells. */
export interface ListenerReceiver {
  accepted(socket: AcceptedSocket): void;
  /** The kernel took the listener away; nothing follows. */
  failed(error: Error): void;
}

/** A socket that listens. */
export interface SocketListener {
  /** Resolves when the address is free again. Connections not yet accepted are refused by the kernel. */
  close(): Promise<void>;
  ref(): void;
  unref(): void;
}

const ECANCELED = -125;

/** Listens on the bound `descriptor`, which is the addon's from then on, even when this throws. */
export function listenSocket(descriptor: number, backlog: number, receiver: ListenerReceiver): SocketListener {
  const receivers = reportsFor(descriptor);
  const id = addon().listen(descriptor, backlog);
  if (id < 0) {
    closeSocket(descriptor);
    throw systemError('listen', id);
  }
  let closed: Promise<void> | undefined;
  let finish = (): void => {};
  receivers.add(id, (_id, result, peer, local) => {
    if (peer !== undefined && local !== undefined) {
      if (closed === undefined) receiver.accepted({ descriptor: result, peer, local });
      else closeSocket(result);
      return;
    }
    receivers.remove(id);
    finish();
    // There is nothing left that closing would have to wait for.
    closed ??= Promise.resolve();
    if (result !== ECANCELED) receiver.failed(systemError('accept', result));
  });
  return {
    close: () => {
      closed ??= new Promise<void>((resolve) => {
        finish = resolve;
        receivers.hold(id);
        addon().remove(id);
      });
      return closed;
    },
    ref: () => receivers.hold(id),
    unref: () => receivers.release(id),
  };
}
