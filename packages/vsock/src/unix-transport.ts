import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { resolve as resolvePath } from 'node:path';
import { expectDestination, expectMachine, VMADDR_CID_LOCAL } from './address.ts';
import { attempt, connectTimeout } from './attempt.ts';
import { errorCode, vsockError } from './error.ts';
import { ConnectionServer } from './server.ts';
import type { VsockSocket } from './socket.ts';
import { attachEndpoints } from './socket.ts';
import type { Transport, VsockConnectOptions, VsockServer, VsockServerOptions } from './transport.ts';
import { discountWritten } from './unix-count.ts';
import { ephemeralPort, expectShortPath, socketPath } from './unix-folder.ts';
import type { UnixMachine } from './unix-listener.ts';
import { openUnixListener } from './unix-listener.ts';
import { encodePreface, PREFACE_LENGTH } from './unix-preface.ts';

const FULL_BACKLOG_RETRY_MS = 10;

/** Which machine this is, and where the sockets of all machines are. */
export interface UnixTransportOptions {
  /** Folder of the socket files; every machine of one emulation uses the same. Made (mode 0700) when first listened in. */
  folder: string;
  /** CID of this machine: 3 for the parent instance, 4 and up for enclaves. */
  cid: number;
}

/**
 * A transport without AF_VSOCK: each listener is a Unix socket `<cid>.<port>` in a folder. For emulation and tests, on
 * every system that has Unix sockets. Whoever can open the folder can pose as any CID.
 * @throws {RangeError} when `cid` is none a machine can have, or (`ENAMETOOLONG`) the folder's path is too long.
 */
export function unixTransport({ folder, cid }: UnixTransportOptions): Transport {
  expectMachine(cid);
  const machine = { folder: resolvePath(folder), cid };
  expectShortPath(machine.folder);
  return {
    localCid: cid,
    connect: async (options) => connectUnix(machine, options),
    createServer: (options: VsockServerOptions = {}, handler?: (socket: VsockSocket) => void): VsockServer =>
      new ConnectionServer((request, events) => openUnixListener(machine, request, events), options, handler),
  };
}

async function connectUnix(machine: UnixMachine, options: VsockConnectOptions): Promise<VsockSocket> {
  expectDestination(options);
  const { cid, port, allowHalfOpen = false } = options;
  const loopback = cid === VMADDR_CID_LOCAL;
  const path = socketPath(machine.folder, { cid: loopback ? machine.cid : cid, port });
  const remote = { cid, port };
  const timeout = connectTimeout(options);
  return attempt<VsockSocket>(options.signal, ({ resolve, reject }) => {
    let retry: NodeJS.Timeout | undefined;
    let socket = open();
    const giveUp = (): void => {
      clearTimeout(expiry);
      clearTimeout(retry);
      socket.destroy();
    };
    const expiry = setTimeout(() => {
      giveUp();
      reject(vsockError({ code: 'ETIMEDOUT', syscall: 'connect', address: remote }));
    }, timeout);
    return giveUp;

    function open(): Socket {
      const opening = connect({ path, allowHalfOpen });
      opening.once('error', failed);
      opening.once('connect', () => {
        const local = { cid: loopback ? VMADDR_CID_LOCAL : machine.cid, port: ephemeralPort() };
        // Handed over when the preface is out: a listener that has hung up already is an error of connecting still.
        opening.write(encodePreface({ remote: local, dialledCid: cid }), (error) => {
          if (error) return;
          clearTimeout(expiry);
          opening.off('error', failed);
          resolve(attachEndpoints(discountWritten(opening, PREFACE_LENGTH), { remote, local }));
        });
      });
      return opening;
    }

    function failed(error: Error): void {
      if (errorCode(error) === 'EAGAIN') {
        // The listener's queue is full, which a vsock listener answers by letting us wait.
        retry = setTimeout(() => {
          socket = open();
        }, FULL_BACKLOG_RETRY_MS);
      } else {
        clearTimeout(expiry);
        reject(connectError(error, remote));
      }
    }
  });
}

/** What an address without a listener looks like in a folder: no file, or somebody who hangs up before hearing us out. */
const REFUSALS: ReadonlySet<string> = new Set(['ENOENT', 'EPIPE', 'ECONNRESET']);

function connectError(error: Error, address: { cid: number; port: number }): Error {
  const code = errorCode(error) ?? 'EIO';
  return vsockError({ code: REFUSALS.has(code) ? 'ECONNREFUSED' : code, syscall: 'connect', address }, error);
}
