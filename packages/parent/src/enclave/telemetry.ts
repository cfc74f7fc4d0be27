import type { Socket } from 'node:net';
import type { FieldTypes, FieldValue, LogLevel, TelemetryRecord } from '../logs/record.ts';
import { isName, LOG_PORT, MAX_FIELDS, MAX_LINE_BYTES, MAX_STRING_LENGTH } from '../logs/record.ts';
import { REDACTED, Secret } from './secret.ts';

/** The part of a `Transport` that is needed here: a way to the parent. */
interface ConnectingTransport {
  connect(options: { cid: number; port: number; timeout?: number }): Promise<Socket>;
}

type ValueOf<Type> = Type extends 'string' ? string : Type extends 'number' ? number : boolean;

/** Fields of one record: only those that were allowed, each of its type, or a secret, which is written as `[redacted]`. */
export type Fields<Allowed extends FieldTypes> = {
  readonly [Name in keyof Allowed]?: ValueOf<Allowed[Name]> | Secret<unknown>;
};

/** Options of {@link enclaveTelemetry}. */
export interface EnclaveTelemetryOptions<Allowed extends FieldTypes> {
  readonly transport: ConnectingTransport;
  /** Every field that may leave this enclave. What is not named here never does. */
  readonly fields: Allowed;
  /** Default 3, the parent. */
  readonly cid?: number;
  /** Default 8002. */
  readonly port?: number;
  /** Most bytes that wait while the parent is away; then the oldest records go. Default 1 048 576. */
  readonly maxBufferedBytes?: number;
  /** Wait after a failed connection, in ms. Default 1000. */
  readonly retryInterval?: number;
}

/** Sends records to the parent's sink. Writing never waits and never throws: telemetry must not stop the application. */
export class EnclaveTelemetry<Allowed extends FieldTypes> {
  readonly #options: EnclaveTelemetryOptions<Allowed>;
  readonly #maxBufferedBytes: number;
  readonly #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #dropped = 0;
  #socket: Socket | undefined;
  #isConnecting = false;
  #retry: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** See {@link enclaveTelemetry}. */
  constructor(options: EnclaveTelemetryOptions<Allowed>) {
    const wrong = Object.keys(options.fields).find((name) => !isName(name));
    if (wrong !== undefined)
      throw new RangeError(
        `expected a field name of letters, digits, "_", "." and "-", found ${JSON.stringify(wrong)}`,
      );
    if (Object.keys(options.fields).length > MAX_FIELDS) throw new RangeError(`expected at most ${MAX_FIELDS} fields`);
    this.#options = options;
    this.#maxBufferedBytes = options.maxBufferedBytes ?? 1_048_576;
  }

  /** Records dropped since the start: the parent was away for too long; a name or value is none; a line is too long; closed. */
  get dropped(): number {
    return this.#dropped;
  }

  /**
   * Tells of something that happened. `event` is a constant name, of letters, digits, `_`, `.` and `-`; what varies goes into
   * fields. A sentence would let out what it quotes, so it is dropped.
   */
  log(level: LogLevel, event: string, fields: Fields<Allowed> = {}): void {
    if (isName(event)) this.#enqueue({ kind: 'log', time: Date.now(), level, event, fields: this.#allowed(fields) });
    else this.#dropped += 1;
  }

  /** Adds to a counter. */
  add(name: string, value: number, fields: Fields<Allowed> = {}): void {
    this.#metric('add', name, value, fields);
  }

  /** Sets a gauge. */
  set(name: string, value: number, fields: Fields<Allowed> = {}): void {
    this.#metric('set', name, value, fields);
  }

  /** Resolves when all that was written has left, or after `timeout` ms (default 2000); then closes. */
  async close({ timeout = 2000 }: { timeout?: number } = {}): Promise<void> {
    const deadline = performance.now() + timeout;
    while (this.#waitingBytes > 0 && performance.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 10));
    this.#isClosed = true;
    clearTimeout(this.#retry);
    const socket = this.#socket;
    if (socket === undefined) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => socket.destroy(), Math.max(0, deadline - performance.now()));
      socket.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
      socket.end();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #metric(operation: 'add' | 'set', name: string, value: number, fields: Fields<Allowed>): void {
    const record = { time: Date.now(), operation, name, value, fields: this.#allowed(fields) };
    if (isName(name) && Number.isFinite(value)) this.#enqueue({ kind: 'metric', ...record });
    else this.#dropped += 1;
  }

  /** TypeScript keeps other fields out; this keeps out those that came past it. */
  #allowed(fields: Fields<Allowed>): Record<string, FieldValue> {
    const allowed: Record<string, FieldValue> = {};
    for (const [name, type] of Object.entries(this.#options.fields)) {
      const value: unknown = fields[name];
      if (value instanceof Secret) allowed[name] = REDACTED;
      else if (typeof value === 'string' && type === 'string') allowed[name] = value.slice(0, MAX_STRING_LENGTH);
      else if (typeof value === 'number' && type === 'number' && Number.isFinite(value)) allowed[name] = value;
      else if (typeof value === 'boolean' && type === 'boolean') allowed[name] = value;
    }
    return allowed;
  }

  #enqueue(record: TelemetryRecord): void {
    const line = Buffer.from(`${JSON.stringify(record)}\n`);
    if (this.#isClosed || line.length > MAX_LINE_BYTES) {
      this.#dropped += 1;
      return;
    }
    this.#waiting.push(line);
    this.#waitingBytes += line.length;
    while (this.#waitingBytes > this.#maxBufferedBytes) {
      this.#waitingBytes -= this.#waiting.shift()?.length ?? 0;
      this.#dropped += 1;
    }
    this.#flush();
  }

  #flush(): void {
    const socket = this.#socket;
    if (socket === undefined) this.#connect();
    while (socket !== undefined && this.#waiting.length > 0 && !socket.writableNeedDrain) {
      const line = this.#waiting.shift();
      this.#waitingBytes -= line?.length ?? 0;
      socket.write(line ?? '');
    }
  }

  #connect(): void {
    if (this.#isConnecting || this.#retry !== undefined || this.#isClosed) return;
    this.#isConnecting = true;
    const { transport, cid = 3, port = LOG_PORT } = this.#options;
    transport.connect({ cid, port, timeout: 5000 }).then(
      (socket) => this.#connected(socket),
      () => this.#lost(),
    );
  }

  #connected(socket: Socket): void {
    this.#isConnecting = false;
    if (this.#isClosed) {
      socket.destroy();
      return;
    }
    this.#socket = socket;
    socket.unref().resume();
    socket.on('drain', () => this.#flush());
    socket.on('error', () => undefined);
    socket.on('close', () => this.#lost());
    this.#flush();
  }

  #lost(): void {
    this.#isConnecting = false;
    this.#socket = undefined;
    if (this.#isClosed) return;
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      if (this.#waiting.length > 0) this.#connect();
    }, this.#options.retryInterval ?? 1000).unref();
  }
}

/**
 * Opt-in logs and metrics out of a production enclave, which has no console. Only the fields named in `fields` leave, cut
 * to size, secrets redacted. The parent reads them: never name a field whose value the parent must not know.
 * @throws {RangeError} for a field name that is none.
 */
export function enclaveTelemetry<const Allowed extends FieldTypes>(
  options: EnclaveTelemetryOptions<Allowed>,
): EnclaveTelemetry<Allowed> {
  return new EnclaveTelemetry(options);
}
