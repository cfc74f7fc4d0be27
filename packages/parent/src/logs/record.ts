/** How much a record matters: the names of OpenTelemetry's severities. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
/** What a field may hold. No objects: what is nested hides what nobody meant to send. */
export type FieldValue = string | number | boolean;
/** Names of the fields that may leave the enclave, and what each holds. */
export type FieldTypes = Readonly<Record<string, 'string' | 'number' | 'boolean'>>;

/** Something that happened. */
export interface LogRecord {
  readonly kind: 'log';
  /** ms since the epoch, by the enclave's clock. */
  readonly time: number;
  readonly level: LogLevel;
  /** A constant name, such as `file-processed`: what varies goes into fields. */
  readonly event: string;
  readonly fields: Readonly<Record<string, FieldValue>>;
}

/** Something that was counted or measured. */
export interface MetricRecord {
  readonly kind: 'metric';
  readonly time: number;
  /** `add` is summed up (a counter), `set` replaces (a gauge). */
  readonly operation: 'add' | 'set';
  readonly name: string;
  readonly value: number;
  readonly fields: Readonly<Record<string, FieldValue>>;
}

/** One line of what an enclave tells. */
export type TelemetryRecord = LogRecord | MetricRecord;

/** Port on which the parent takes records, unless told otherwise. */
export const LOG_PORT = 8002;
/** Longest line, in bytes, with its line feed. */
export const MAX_LINE_BYTES = 8192;
/** Longest string in a field, in UTF-16 units; the rest is cut off. */
export const MAX_STRING_LENGTH = 512;
/** Most fields of one record. */
export const MAX_FIELDS = 32;

const NAME = /^[a-zA-Z][\w.-]{0,63}$/;
const LEVELS: readonly string[] = ['debug', 'info', 'warn', 'error'];

/** Whether `name` may name an event, a metric or a field: a letter, then at most 63 letters, digits, `_`, `.`, `-`. */
export function isName(name: unknown): name is string {
  return typeof name === 'string' && NAME.test(name);
}

function isFieldValue(value: unknown): value is FieldValue {
  if (typeof value === 'string') return value.length <= MAX_STRING_LENGTH;
  return typeof value === 'boolean' || Number.isFinite(value);
}

function readFields(value: unknown): Record<string, FieldValue> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const entries: [string, unknown][] = Object.entries(value);
  if (entries.length > MAX_FIELDS) return undefined;
  const fields = entries.filter((entry): entry is [string, FieldValue] => isName(entry[0]) && isFieldValue(entry[1]));
  return fields.length === entries.length ? Object.fromEntries(fields) : undefined;
}

function isLevel(level: unknown): level is LogLevel {
  return typeof level === 'string' && LEVELS.includes(level);
}

function readRecord(value: Record<string, unknown>): TelemetryRecord | undefined {
  const { kind, time, level, event, operation, name, value: amount } = value;
  const fields = readFields(value['fields']);
  if (fields === undefined || typeof time !== 'number' || !Number.isFinite(time)) return undefined;
  if (kind === 'log' && isLevel(level) && isName(event)) return { kind, time, level, event, fields };
  const isOperation = operation === 'add' || operation === 'set';
  if (kind === 'metric' && isOperation && isName(name) && typeof amount === 'number' && Number.isFinite(amount))
    return { kind, time, operation, name, value: amount, fields };
  return undefined;
}

/** Reads one line; `undefined` for anything that is not exactly a record. */
export function parseRecord(line: string): TelemetryRecord | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? readRecord({ ...value }) : undefined;
  } catch {
    return undefined;
  }
}
