import { constants } from 'node:os';
import type { Transport } from '@nitro-enclaves/vsock';
import { VMADDR_CID_PARENT } from '@nitro-enclaves/vsock';
import type { EnclaveExit } from './program.ts';

const REPORT_TIMEOUT_MS = 2000;

function report({ exitCode, signal }: EnclaveExit): string {
  return `${JSON.stringify(signal === null ? { exitCode } : { signal: constants.signals[signal] })}\n`;
}

/** Tells the parent how the program ended, as the init of the package `eif` does; a parent that does not listen misses it. */
export async function reportExitStatus(exit: EnclaveExit, transport: Transport, port: number): Promise<void> {
  try {
    const socket = await transport.connect({ cid: VMADDR_CID_PARENT, port, timeout: REPORT_TIMEOUT_MS });
    socket.setTimeout(REPORT_TIMEOUT_MS, () => socket.destroy());
    socket.on('error', () => socket.destroy());
    socket.end(report(exit));
    await new Promise<void>((resolve) => socket.resume().once('close', () => resolve()));
  } catch (error) {
    if (!(error instanceof Error && 'syscall' in error)) throw error;
  }
}
