import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { EmulatorError } from '../error.ts';
import type { DescribeOptions } from '../hypervisor/emulated-enclave.ts';
import type {
  DescribeEnclaveOutput,
  RunEnclaveOutput,
  TerminateEnclaveOutput,
} from '../hypervisor/nitro-cli-output.ts';
import type { RunEnclaveOptions } from '../hypervisor/run-options.ts';
import type { ControlAnswer, ControlRequest } from './protocol.ts';
import { CONTROL_SOCKET, errorOf } from './protocol.ts';

/** An emulator that another process runs. Its results have nitro-cli's shapes; its errors are those of {@link Emulator}. */
export interface EmulatorClient {
  /** A `signal` ends the waiting; an enclave whose start the emulator was told of may start all the same. */
  runEnclave(options: RunEnclaveOptions): Promise<RunEnclaveOutput>;
  describeEnclaves(options?: DescribeOptions): Promise<DescribeEnclaveOutput[]>;
  terminateEnclave(enclave: string): Promise<TerminateEnclaveOutput>;
  /** What the enclave wrote lately and writes from now on, until it ends. */
  console(enclave: string): Promise<Readable>;
}

function open(folder: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path: join(folder, CONTROL_SOCKET), allowHalfOpen: true });
    const fail = (cause: Error) => {
      const sentence = `expected an emulator in ${folder}, found none: start one with \`nitro-enclaves emulator up\``;
      reject(new EmulatorError('EMULATOR_UNREACHABLE', sentence, { cause }));
    };
    socket.once('error', fail);
    socket.once('connect', () => {
      socket.off('error', fail);
      resolve(socket);
    });
  });
}

const NEWLINE = 0x0a;

/** Reads the answer's line, and puts back what came after it. */
function readLine(socket: Socket): Promise<string> {
  let received: Buffer = Buffer.alloc(0);
  return new Promise((resolve, reject) => {
    const settle = (outcome: () => void) => {
      socket.pause();
      socket.off('data', read).off('end', ended).off('error', reject);
      outcome();
    };
    const ended = () =>
      settle(() => reject(new EmulatorError('EMULATOR_UNREACHABLE', 'the emulator ended without an answer')));
    const read = (piece: Buffer) => {
      received = Buffer.concat([received, piece]);
      const end = received.indexOf(NEWLINE);
      if (end < 0) return;
      settle(() => {
        if (received.length > end + 1) socket.unshift(received.subarray(end + 1));
        resolve(received.toString('utf8', 0, end));
      });
    };
    socket.on('data', read).on('end', ended).on('error', reject);
  });
}

function parseAnswer(line: string): ControlAnswer {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new EmulatorError('EMULATOR_UNREACHABLE', 'expected the answer of an emulator, found none', { cause });
  }
}

async function ask(
  folder: string,
  request: ControlRequest,
  signal?: AbortSignal,
): Promise<{ socket: Socket; result: unknown }> {
  const socket = await open(folder);
  if (signal?.aborted) {
    socket.destroy();
    throw signal.reason;
  }
  // Who does not want the answer any more does not wait for it; what was begun goes on in the emulator.
  const stop = () => socket.destroy(signal?.reason);
  signal?.addEventListener('abort', stop, { once: true });
  try {
    socket.end(`${JSON.stringify(request)}\n`);
    const answer = parseAnswer(await readLine(socket));
    if ('result' in answer) return { socket, result: answer.result };
    throw errorOf(answer.error);
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

async function askOnce<Result>(folder: string, request: ControlRequest, signal?: AbortSignal): Promise<Result> {
  const { socket, result } = await ask(folder, request, signal);
  socket.destroy();
  return result as Result;
}

/**
 * Speaks with the emulator whose folder this is. Nothing is opened before the first call.
 * Every call throws {@link EmulatorError} `EMULATOR_UNREACHABLE` where none runs.
 */
export function connectEmulator(folder: string): EmulatorClient {
  return {
    runEnclave: async ({ signal, ...options }) => {
      signal?.throwIfAborted();
      return askOnce(folder, { command: 'run-enclave', options }, signal);
    },
    describeEnclaves: (options = {}) => askOnce(folder, { command: 'describe-enclaves', options }),
    terminateEnclave: (enclave) => askOnce(folder, { command: 'terminate-enclave', enclave }),
    console: async (enclave) => (await ask(folder, { command: 'console', enclave })).socket,
  };
}
