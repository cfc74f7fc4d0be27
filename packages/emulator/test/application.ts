import { setTimeout as delay } from 'node:timers/promises';
import type { EmulatedEnclave, Emulator, RunCommandOptions } from '@nitro-enclaves/emulator';
import type { VsockSocket } from '@nitro-enclaves/vsock';

/** Path of the application. */
export const APPLICATION = new URL('fixtures/application.mjs', import.meta.url).pathname;
export const NONCE = '07'.repeat(32);

function readAll(socket: VsockSocket): Promise<string> {
  const pieces: Buffer[] = [];
  return new Promise((resolve, reject) => {
    socket.on('data', (piece) => pieces.push(piece));
    socket.once('error', reject);
    socket.once('close', () => resolve(Buffer.concat(pieces).toString()));
  });
}

/** Connects as soon as the application listens. */
async function connectWhenUp(emulator: Emulator, cid: number): Promise<VsockSocket> {
  for (;;) {
    if (!emulator.enclaves.some((enclave) => enclave.cid === cid)) throw new Error('the enclave has ended');
    try {
      return await emulator.transport.connect({ cid, port: 5000, allowHalfOpen: false });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ECONNREFUSED') throw error;
      await delay(20);
    }
  }
}

/** Asks the application of an enclave. */
// biome-ignore lint/suspicious/noExplicitAny: answers of the fixture, judged by the tests
export async function ask(emulator: Emulator, { cid }: EmulatedEnclave, question: object): Promise<any> {
  const socket = await connectWhenUp(emulator, cid);
  const answer = readAll(socket);
  socket.end(JSON.stringify(question));
  return JSON.parse(await answer);
}

/** The application of these tests as a command. */
export function application(options: Partial<RunCommandOptions> = {}): RunCommandOptions {
  return { command: [process.execPath, APPLICATION], ...options };
}
