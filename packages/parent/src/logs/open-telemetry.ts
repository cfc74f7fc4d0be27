import type { Attributes, Counter, Gauge, Meter } from '@opentelemetry/api';
import type { Logger } from '@opentelemetry/api-logs';
import { SeverityNumber } from '@opentelemetry/api-logs';
import type { ReceivedRecord } from './log-sink.ts';
import type { LogLevel, LogRecord, MetricRecord } from './record.ts';

/** Where records go: of OpenTelemetry's own providers, with the exporters of the operator's choice. */
export interface OpenTelemetryTarget {
  readonly logger?: Logger;
  readonly meter?: Meter;
}

const SEVERITIES: Readonly<Record<LogLevel, SeverityNumber>> = {
  debug: SeverityNumber.DEBUG,
  info: SeverityNumber.INFO,
  warn: SeverityNumber.WARN,
  error: SeverityNumber.ERROR,
};

/** Most instruments that enclaves can bring into being: each costs memory on the parent. */
const MAX_INSTRUMENTS = 256;

function emitLog(logger: Logger, cid: number, { time, level, event, fields }: LogRecord): void {
  logger.emit({
    timestamp: time,
    severityNumber: SEVERITIES[level],
    severityText: level.toUpperCase(),
    eventName: event,
    body: event,
    attributes: { ...fields, 'vsock.cid': cid },
  });
}

/** Instruments of one meter by their names, made when first used. */
class Instruments {
  readonly #meter: Meter;
  readonly #counters = new Map<string, Counter>();
  readonly #gauges = new Map<string, Gauge>();

  constructor(meter: Meter) {
    this.#meter = meter;
  }

  record(cid: number, { operation, name, value, fields }: MetricRecord): void {
    const attributes: Attributes = { ...fields, 'vsock.cid': cid };
    if (operation === 'set')
      this.#obtain(this.#gauges, name, () => this.#meter.createGauge(name))?.record(value, attributes);
    else this.#obtain(this.#counters, name, () => this.#meter.createCounter(name))?.add(value, attributes);
  }

  #obtain<Instrument>(known: Map<string, Instrument>, name: string, create: () => Instrument): Instrument | undefined {
    const instrument = known.get(name);
    if (instrument !== undefined) return instrument;
    if (this.#counters.size + this.#gauges.size >= MAX_INSTRUMENTS) return undefined;
    const created = create();
    known.set(name, created);
    return created;
  }
}

/**
 * An `onRecord` for `startLogSink` that hands records to OpenTelemetry: logs with severity, event name and attributes,
 * metrics as counters and gauges; each with the attribute `vsock.cid`. At most 256 instruments; further names are dropped.
 * Source: OpenTelemetry specification, "Logs Data Model".
 */
export function toOpenTelemetry({ logger, meter }: OpenTelemetryTarget): (received: ReceivedRecord) => void {
  const instruments = meter === undefined ? undefined : new Instruments(meter);
  return ({ cid, record }) => {
    if (record.kind === 'metric') instruments?.record(cid, record);
    else if (logger !== undefined) emitLog(logger, cid, record);
  };
}
