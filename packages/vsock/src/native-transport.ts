import { AsyncResource } from 'node:async_hooks';
import { bindSocket, closeSocket, connectSocket, listenSocket, localName, openSocket } from '@nitro-enclaves/native';
import type { VsockAddress } from './address.ts';
import { expectDestination, VMADDR_CID_ANY, VMADDR_CID_LOCAL } from './address.ts';
import { adoptDescriptor } from './adopt.ts';
import { attempt, connectTimeout } from './attempt.ts';
import { errorCode, vsockError } from './error.ts';
import type { Listener, ListenerEvents, ListenRequest } from './listener.ts';
import { ConnectionServer } from './server.ts';
import type { VsockSocket } from './socket.ts';
import { attachEndpoints } from './socket.ts';
import type { SocketFamily } from './socket-family.ts';
import type { Transport, VsockConnectOptions, VsockServer, VsockServerOptions } from './transport.ts';

/** A transport over kernel sockets of `family`. */
export function nativeTransport(family: SocketFamily): Transport {
  return {
    get localCid() {
      return family.localCid();
    },
    connect: async (options) => connect(family, options),
    createServer: (options: VsockServerOptions = {}, handler?: (socket: VsockSocket) => void): VsockServer =>
      new ConnectionServer((request, events) => listen(family, request, events), options, handler),
  };
}

async function connect(family: SocketFamily, options: VsockConnectOptions): Promise<VsockSocket> {
  expectDestination(options);
  const { cid, port, allowHalfOpen = false } = options;
  const remote = { cid, port };
  const timeout = connectTimeout(options);
  return attempt<VsockSocket>(options.signal, ({ resolve, reject }) => {
    // The addon reports in a context of its own; the socket is to live in that of whoever asked for it.
    const context = new AsyncResource('VSOCKCONNECT');
    const descriptor = prepareConnect(family, remote, timeout);
    return connectSocket(descriptor, family.encodeName(remote), {
      timeout,
      connected: (connected) =>
        context.runInAsyncScope(() => {
          try {
            const local = localAddress(family, connected, cid);
            resolve(attachEndpoints(adoptDescriptor(connected, family.number, { allowHalfOpen }), { remote, local }));
          } catch (error) {
            reject(failure('connect', remote, error));
          }
        }),
      failed: (error) => reject(connectError(remote, error)),
    });
  });
}

/** Our end of a connection. The kernel binds those that connect to any CID, so the CID is what the peer sees. */
function localAddress(family: SocketFamily, connected: number, remoteCid: number): VsockAddress {
  const { cid, port } = family.decodeName(localName(connected));
  if (cid !== VMADDR_CID_ANY) return { cid, port };
  const own = ownCid(family);
  const loopback = remoteCid === VMADDR_CID_LOCAL || remoteCid === own;
  return { cid: loopback ? VMADDR_CID_LOCAL : own, port };
}

/** The connection stands, and is not given up because /dev/vsock is not there, or not ours to open. */
function ownCid(family: SocketFamily): number {
  try {
    return family.localCid();
  } catch {
    return VMADDR_CID_ANY;
  }
}

function prepareConnect(family: SocketFamily, remote: VsockAddress, timeout: number): number {
  const descriptor = openNamed(family, 'connect', remote);
  try {
    family.prepare?.(descriptor);
    if (family.ownName !== undefined) bindSocket(descriptor, family.ownName());
    family.limitConnect?.(descriptor, timeout);
  } catch (error) {
    closeSocket(descriptor);
    throw failure('connect', remote, error);
  }
  return descriptor;
}

function openNamed(family: SocketFamily, syscall: string, address: VsockAddress): number {
  try {
    return openSocket(family.number);
  } catch (error) {
    throw failure(syscall, address, error);
  }
}

/** Linux says ECONNRESET where nobody listens: the peer's RST while connecting, which everybody else calls refused. */
function connectError(address: VsockAddress, error: Error): Error {
  const code = errorCode(error);
  return vsockError(
    { code: code === 'ECONNRESET' ? 'ECONNREFUSED' : (code ?? 'EIO'), syscall: 'connect', address },
    error,
  );
}

/** A failed system call with the address that it was about; any other error as it is. */
function failure(syscall: string, address: VsockAddress, error: unknown): unknown {
  const code = errorCode(error);
  return code?.startsWith('E') && !code.startsWith('ERR_') ? vsockError({ code, syscall, address }, error) : error;
}

async function listen(family: SocketFamily, request: ListenRequest, events: ListenerEvents): Promise<Listener> {
  const { cid, port, backlog, allowHalfOpen } = request;
  const requested = { cid, port };
  const descriptor = openNamed(family, 'listen', requested);
  const address = bindAddress(family, descriptor, requested);
  try {
    const listener = listenSocket(descriptor, backlog, {
      accepted: ({ descriptor: accepted, peer, local }) => {
        const endpoints = { remote: family.decodeName(peer), local: family.decodeName(local) };
        events.arrival({
          ...endpoints,
          accept: () => attachEndpoints(adoptDescriptor(accepted, family.number, { allowHalfOpen }), endpoints),
          refuse: () => closeSocket(accepted),
        });
      },
      failed: events.error,
    });
    return { address, close: listener.close, ref: listener.ref, unref: listener.unref };
  } catch (error) {
    throw failure('listen', requested, error);
  }
}

function bindAddress(family: SocketFamily, descriptor: number, requested: VsockAddress): VsockAddress {
  try {
    family.prepare?.(descriptor);
    bindSocket(descriptor, family.encodeName(requested));
    return family.decodeName(localName(descriptor));
  } catch (error) {
    closeSocket(descriptor);
    throw failure('bind', requested, error);
  }
}
