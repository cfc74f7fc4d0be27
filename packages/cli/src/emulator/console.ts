import type { Readable } from 'node:stream';
import type { CommandContext } from '../command-context.ts';
import type { EnclaveChoice } from './enclave-choice.ts';
import { clientOf } from './folder-option.ts';

/** Writes a console to standard output until the enclave ends or the command is told to stop. */
export async function copyConsole(console: Readable, { stdout, signal }: CommandContext): Promise<void> {
  const stop = () => console.destroy();
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    for await (const bytes of console) stdout.write(bytes);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** `emulator console` */
export async function consoleCommand({ enclave, ...options }: EnclaveChoice, context: CommandContext): Promise<void> {
  const client = clientOf(options, context);
  await copyConsole(await client.console(enclave), context);
}
