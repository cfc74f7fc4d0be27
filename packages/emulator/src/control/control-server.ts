import type { Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream';
import { EmulatorError } from '../error.ts';
import type { Emulator } from '../hypervisor/emulator.ts';
import type { ControlAnswer, ControlRequest } from './protocol.ts';
import { CONTROL_SOCKET, describeError, MAX_REQUEST_BYTES } from './protocol.ts';

/** Lets other processes of the same user run, list and end the enclaves of an emulator. */
export interface ControlServer {
  close(): Promise<void>;
}

function line(answer: ControlAnswer): string {
  return `${JSON.stringify(answer)}\n`;
}

async function answer(emulator: Emulator, request: ControlRequest, socket: Socket): Promise<void> {
  switch (request.command) {
    case 'run-enclave':
      socket.end(line({ result: await emulator.runEnclave(request.options) }));
      return;
    case 'describe-enclaves':
      socket.end(line({ result: emulator.describeEnclaves(request.options) }));
      return;
    case 'terminate-enclave':
      socket.end(line({ result: await emulator.terminateEnclave(request.enclave) }));
      return;
    case 'console': {
      const console = emulator.console(request.enclave);
      socket.write(line({ result: null }));
      pipeline(console, socket, () => console.destroy());
      return;
    }
    default:
      throw new EmulatorError('EMULATOR_ARGUMENT', 'expected a command of this emulator: is it of another version?');
  }
}

function parseRequest(text: string): ControlRequest {
  try {
    const request: unknown = JSON.parse(text);
    if (typeof request === 'object' && request !== null && 'command' in request) return request as ControlRequest;
  } catch {
    // Refused below, like every other text that is no request.
  }
  throw new EmulatorError('EMULATOR_ARGUMENT', 'expected one line of JSON with a command');
}

function serve(emulator: Emulator, socket: Socket): void {
  let received = '';
  socket.setEncoding('utf8');
  socket.on('error', () => socket.destroy());
  const read = (piece: string) => {
    received += piece;
    if (received.length > MAX_REQUEST_BYTES) socket.destroy();
    const end = received.indexOf('\n');
    if (end < 0) return;
    socket.off('data', read).resume();
    const run = async () => answer(emulator, parseRequest(received.slice(0, end)), socket);
    run().catch((error: unknown) => socket.end(line(describeError(error))));
  };
  socket.on('data', read);
  // Half a question gets no answer.
  socket.on('end', () => {
    if (!received.includes('\n')) socket.destroy();
  });
}

/** Serves `emulator` on the control socket in its folder, which only its user can open. */
export async function startControlServer(emulator: Emulator): Promise<ControlServer> {
  const sockets = new Set<Socket>();
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    serve(emulator, socket);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ path: join(emulator.folder, CONTROL_SOCKET) }, resolve);
  });
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
