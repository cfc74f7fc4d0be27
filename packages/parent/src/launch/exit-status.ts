import type { Transport, VsockServer, VsockSocket } from '@nitro-enclaves/vsock';
import { sharedFairly } from '../proxy/connection-count.ts';

/** How the application of an enclave ended, as the init of the package `eif` reports it before the enclave goes. */
export type ExitStatus = { readonly exitCode: number } | { readonly signal: number } | { readonly error: string };

/** A report is one short line of JSON. */
const MAX_REPORT_BYTES = 4096;
const REPORT_TIMEOUT_MS = 5000;

function isByte(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 255;
}

/** Reads a report; `undefined` for anything else: whatever listens on a vsock port hears strangers too. */
export function parseExitStatus(text: string): ExitStatus | undefined {
  try {
    const report: unknown = JSON.parse(text);
    if (typeof report !== 'object' || report === null) return undefined;
    if ('exitCode' in report && isByte(report.exitCode)) return { exitCode: report.exitCode };
    if ('signal' in report && isByte(report.signal)) return { signal: report.signal };
    if ('error' in report && typeof report.error === 'string') return { error: report.error.slice(0, 1024) };
    return undefined;
  } catch {
    return undefined;
  }
}

function collect(socket: VsockSocket, done: (text: string) => void): void {
  let text = '';
  socket.setEncoding('utf8').setTimeout(REPORT_TIMEOUT_MS, () => socket.destroy());
  socket.on('error', () => undefined);
  socket.on('data', (piece: string) => {
    text += piece;
    if (text.length > MAX_REPORT_BYTES) socket.destroy();
  });
  socket.on('end', () => {
    socket.end();
    done(text);
  });
}

/** Hears the exit statuses of enclaves on one port, and keeps the last of each CID until it is taken. */
export class ExitStatusListener {
  readonly #statuses = new Map<number, ExitStatus>();
  readonly #server: VsockServer;

  constructor(transport: Transport) {
    const hear = (socket: VsockSocket): void =>
      collect(socket, (text) => {
        const status = parseExitStatus(text);
        if (status !== undefined) this.#statuses.set(socket.remoteCid, status);
      });
    this.#server = transport.createServer({ allowHalfOpen: true }, sharedFairly(hear));
  }

  /** Listens on the port that the images were built with, until the signal is aborted. */
  async listen(port: number, { signal }: { signal?: AbortSignal } = {}): Promise<void> {
    await this.#server.listen({ port, signal });
  }

  /** The status that `cid` reported since it was last taken. */
  take(cid: number): ExitStatus | undefined {
    const status = this.#statuses.get(cid);
    this.#statuses.delete(cid);
    return status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.drain({ timeout: 100 });
  }
}
