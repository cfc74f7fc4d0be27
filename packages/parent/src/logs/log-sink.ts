import type { Transport, VsockAddress, VsockServer, VsockSocket } from '@nitro-enclaves/vsock';
import { sharedFairly } from '../proxy/connection-count.ts';
import type { TelemetryRecord } from './record.ts';
import { LOG_PORT, MAX_LINE_BYTES, parseRecord } from './record.ts';

/** A record, and the enclave that it came from: as the kernel says, not as the record does. */
export interface ReceivedRecord {
  readonly cid: number;
  readonly record: TelemetryRecord;
}

/** Why a line was not taken. */
export interface RefusedLine {
  readonly cid: number;
  readonly reason: 'not-a-record' | 'line-too-long' | 'too-many-records';
}

/** Options of {@link startLogSink}. */
export interface LogSinkOptions {
  readonly transport: Transport;
  readonly onRecord: (received: ReceivedRecord) => void;
  /** Told of lines that were dropped. */
  readonly onRefused?: (refused: RefusedLine) => void;
  /** Default 8002. */
  readonly port?: number;
  /** CIDs that may send. Default: every enclave of this instance. */
  readonly allowedCids?: Iterable<number>;
  /** Most records of one connection in a second; more are dropped. Default 1000. */
  readonly maxRecordsPerSecond?: number;
  readonly signal?: AbortSignal;
}

/** Reads lines of one connection. What an enclave sends is not trusted: it may be anything, of any length. */
class LineReader {
  readonly #cid: number;
  readonly #options: LogSinkOptions;
  #rest = Buffer.alloc(0);
  #isSkipping = false;
  #second = 0;
  #count = 0;

  constructor(cid: number, options: LogSinkOptions) {
    this.#cid = cid;
    this.#options = options;
  }

  take(piece: Buffer): void {
    let start = 0;
    for (let end = piece.indexOf(10); end !== -1; end = piece.indexOf(10, start)) {
      this.#line(Buffer.concat([this.#rest, piece.subarray(start, end)]));
      this.#rest = Buffer.alloc(0);
      start = end + 1;
    }
    this.#keep(piece.subarray(start));
  }

  #keep(rest: Buffer): void {
    if (this.#isSkipping) return;
    this.#rest = Buffer.concat([this.#rest, rest]);
    if (this.#rest.length < MAX_LINE_BYTES) return;
    this.#options.onRefused?.({ cid: this.#cid, reason: 'line-too-long' });
    this.#isSkipping = true;
    this.#rest = Buffer.alloc(0);
  }

  #line(line: Buffer): void {
    if (this.#isSkipping) {
      this.#isSkipping = false;
      return;
    }
    const record = this.#read(line);
    if (typeof record === 'string') this.#options.onRefused?.({ cid: this.#cid, reason: record });
    else this.#options.onRecord({ cid: this.#cid, record });
  }

  #read(line: Buffer): TelemetryRecord | RefusedLine['reason'] {
    if (line.length >= MAX_LINE_BYTES) return 'line-too-long';
    if (!this.#isWithinRate()) return 'too-many-records';
    return parseRecord(line.toString('utf8')) ?? 'not-a-record';
  }

  #isWithinRate(): boolean {
    const second = Math.floor(performance.now() / 1000);
    this.#count = second === this.#second ? this.#count + 1 : 1;
    this.#second = second;
    return this.#count <= (this.#options.maxRecordsPerSecond ?? 1000);
  }
}

/** Takes logs and metrics of enclaves. */
export class LogSink {
  readonly #options: LogSinkOptions;
  readonly #server: VsockServer;

  /** See {@link startLogSink}. */
  constructor(options: LogSinkOptions) {
    this.#options = options;
    const { transport, allowedCids } = options;
    const receive = sharedFairly((socket) => this.#receive(socket));
    this.#server = transport.createServer({ allowedCids }, receive);
  }

  async listen(): Promise<void> {
    const { port = LOG_PORT, signal } = this.#options;
    await this.#server.listen({ port, signal });
  }

  /** The CID and port listened on. */
  address(): VsockAddress | null {
    return this.#server.address();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.drain({ timeout: 1000 });
  }

  #receive(socket: VsockSocket): void {
    const lines = new LineReader(socket.remoteCid, this.#options);
    socket.on('data', (piece: Buffer) => lines.take(piece));
    socket.on('error', () => undefined);
  }
}

/**
 * Listens for the records that `enclaveTelemetry()` sends.
 * @throws {VsockError} as `listen()` of the transport's server.
 */
export async function startLogSink(options: LogSinkOptions): Promise<LogSink> {
  const sink = new LogSink(options);
  await sink.listen();
  return sink;
}
