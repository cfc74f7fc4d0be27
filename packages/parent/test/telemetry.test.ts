import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { unixTransport } from '@nitro-enclaves/vsock';
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-http';
import { LoggerProvider, SimpleLogRecordProcessor } from '@opentelemetry/sdk-logs';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { enclaveTelemetry, Secret } from '../src/enclave/index.ts';
import type { LogSink, LogSinkOptions, ReceivedRecord, RefusedLine } from '../src/index.ts';
import { LOG_PORT, startLogSink, toOpenTelemetry } from '../src/index.ts';
import { parseRecord } from '../src/logs/record.ts';

let folder: string;
let sink: LogSink | undefined;
let records: ReceivedRecord[];
let refused: RefusedLine[];

const listen = async (options: Partial<LogSinkOptions> = {}) => {
  sink = await startLogSink({
    transport: unixTransport({ folder, cid: 3 }),
    onRecord: (received) => records.push(received),
    onRefused: (line) => refused.push(line),
    ...options,
  });
};
/** Time enough on any machine. */
const eventually = (check: () => unknown) => vi.waitFor(check, { timeout: 20_000 });
const fields = { rows: 'number', file: 'string', ok: 'boolean' } as const;
const telemetry = (maxBufferedBytes?: number) =>
  enclaveTelemetry({
    transport: unixTransport({ folder, cid: 16 }),
    fields,
    retryInterval: 20,
    ...(maxBufferedBytes === undefined ? {} : { maxBufferedBytes }),
  });

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'logs-'));
  records = [];
  refused = [];
});
afterEach(async () => {
  await sink?.[Symbol.asyncDispose]();
  sink = undefined;
  await rm(folder, { recursive: true });
});

describe('telemetry out of an enclave', () => {
  it("arrives at the parent with the enclave's CID", async () => {
    await listen();
    const enclave = telemetry();
    enclave.log('info', 'file-processed', { rows: 3, file: 'a.csv', ok: true });
    enclave.add('rows', 3);
    enclave.set('queue', 7, { file: 'a.csv' });
    await enclave.close();
    await eventually(() => expect(records).toHaveLength(3));
    expect(records).toMatchObject([
      {
        cid: 16,
        record: { kind: 'log', level: 'info', event: 'file-processed', fields: { rows: 3, file: 'a.csv', ok: true } },
      },
      { cid: 16, record: { kind: 'metric', operation: 'add', name: 'rows', value: 3 } },
      { cid: 16, record: { kind: 'metric', operation: 'set', name: 'queue', value: 7, fields: { file: 'a.csv' } } },
    ]);
  });

  it('holds no field that was not allowed, none of another type, and no secret', async () => {
    await listen();
    const enclave = telemetry();
    const sneaked = { rows: 'four', card: '4111', file: new Secret('secret.csv'), ok: { nested: true } };
    enclave.log('info', 'sneaky', sneaked as never);
    await enclave.close();
    await eventually(() => expect(records).toHaveLength(1));
    expect(records[0]?.record.fields).toEqual({ file: '[redacted]' });
  });

  it('is cut to size', async () => {
    await listen();
    const enclave = telemetry();
    enclave.log('info', 'long', { file: 'x'.repeat(100_000) });
    await enclave.close();
    await eventually(() => expect(records).toHaveLength(1));
    expect(records[0]?.record.fields['file']).toHaveLength(512);
  });

  it('does not tell of an event whose name is a sentence, or a value that is no number, and counts it', async () => {
    await listen();
    const enclave = telemetry();
    enclave.log('info', 'card 4111 was charged');
    enclave.add('rows', Number.NaN);
    expect(enclave.dropped).toBe(2);
    enclave.log('info', 'fine');
    await enclave.close();
    await eventually(() => expect(records).toHaveLength(1));
    expect(records).toMatchObject([{ record: { event: 'fine' } }]);
  });

  it('waits for the parent, and arrives once it listens', async () => {
    const enclave = telemetry();
    enclave.log('warn', 'early');
    await new Promise((resolve) => setTimeout(resolve, 60));
    await listen();
    await eventually(() => expect(records).toHaveLength(1));
    await enclave.close();
  });

  it('drops the oldest beyond its bounds while the parent is away, and counts them', async () => {
    const enclave = telemetry(1000);
    for (let row = 0; row < 100; row += 1) enclave.log('info', 'row', { rows: row });
    expect(enclave.dropped).toBeGreaterThan(80);
    await listen();
    await eventually(() => expect(records.at(-1)?.record.fields).toEqual({ rows: 99 }));
    expect(records).toHaveLength(100 - enclave.dropped);
    await enclave.close();
  });

  it('ends when closed, though the parent is away', async () => {
    const enclave = telemetry();
    enclave.log('info', 'lost');
    await enclave.close({ timeout: 50 });
    enclave.log('info', 'after');
    expect(enclave.dropped).toBe(1);
  });

  it.each(['', '1st', 'with space', 'x'.repeat(65), '__proto__ '])('knows no field named %j', (name) => {
    expect(() =>
      enclaveTelemetry({ transport: unixTransport({ folder, cid: 16 }), fields: { [name]: 'string' } }),
    ).toThrow(RangeError);
  });
});

describe('a secret', () => {
  const secret = new Secret('hunter2');
  it('is redacted wherever it would be written, and comes out by reveal() alone', () => {
    const written = [
      String(secret),
      `${secret}`,
      JSON.stringify({ secret }),
      inspect(secret),
      inspect({ secret }, { depth: 9 }),
    ];
    expect(written.join()).not.toContain('hunter2');
    expect(written.every((text) => text.includes('[redacted]'))).toBe(true);
    expect(secret.reveal()).toBe('hunter2');
  });
});

describe('the sink', () => {
  const send = async (cid: number, ...pieces: (string | Buffer)[]) => {
    const socket = await unixTransport({ folder, cid }).connect({ cid: 3, port: LOG_PORT });
    for (const piece of pieces) socket.write(piece);
    socket.end();
    await once(socket.resume(), 'close');
  };
  const good = JSON.stringify({ kind: 'log', time: 1, level: 'info', event: 'good', fields: {} });

  it.each([
    ['text', 'hello'],
    ['no JSON', '{'],
    ['null', 'null'],
    ['a list', '[]'],
    ['another kind', good.replace('log', 'trace')],
    ['another level', good.replace('info', 'fatal')],
    ['a nested field', good.replace('{}', '{"a":{}}')],
    ['a null field', good.replace('{}', '{"a":null}')],
    ['an event that is a sentence', good.replace('good', 'not so good')],
    ['a field named by a sentence', good.replace('{}', '{"a b":1}')],
    ['a long string', good.replace('{}', `{"a":"${'x'.repeat(513)}"}`)],
    [
      '33 fields',
      good.replace('{}', JSON.stringify(Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`f${i}`, i])))),
    ],
    ['a time that is no number', good.replace('1', '"now"')],
    ['a metric without a value', '{"kind":"metric","time":1,"operation":"add","name":"n","fields":{}}'],
  ])('drops %s, and reads on', async (_, line) => {
    await listen();
    await send(16, `${line}\n${good}\n`);
    await eventually(() => expect(records).toHaveLength(1));
    expect(refused).toEqual([{ cid: 16, reason: 'not-a-record' }]);
  });

  it('drops a line of megabytes without keeping it, and reads on', async () => {
    await listen();
    await send(16, Buffer.alloc(3_000_000, 'x'), `\n${good}\n`);
    await eventually(() => expect(records).toHaveLength(1));
    expect(refused).toEqual([{ cid: 16, reason: 'line-too-long' }]);
  });

  it('reads records that arrive byte by byte', async () => {
    await listen();
    await send(16, ...[...`${good}\n${good}\n`]);
    await eventually(() => expect(records).toHaveLength(2));
  });

  it('drops more than its rate', async () => {
    await listen({ maxRecordsPerSecond: 5 });
    await send(16, `${good}\n`.repeat(500));
    await eventually(() => expect(records.length + refused.length).toBe(500));
    expect(refused.every(({ reason }) => reason === 'too-many-records')).toBe(true);
    expect(records.length).toBeLessThan(100);
  });

  it('hears only the CIDs allowed', async () => {
    await listen({ allowedCids: [16] });
    await send(17, `${good}\n`).catch(() => undefined);
    await send(16, `${good}\n`);
    await eventually(() => expect(records).toHaveLength(1));
    expect(records[0]?.cid).toBe(16);
  });

  it('takes nothing that is not a record, whatever comes', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (line) => {
        const record = parseRecord(line);
        expect(record === undefined || record.kind === 'log' || record.kind === 'metric').toBe(true);
      }),
    );
  });
});

describe('export to OpenTelemetry', () => {
  it("sends logs to an OTLP collector through the standard exporter, with severity and the enclave's CID", async () => {
    const bodies: string[] = [];
    const collector = createServer((request, response) => {
      let body = '';
      request
        .on('data', (piece) => (body += piece))
        .on('end', () => {
          bodies.push(body);
          response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
        });
    });
    await once(collector.listen(0, '127.0.0.1'), 'listening');
    const { port } = collector.address() as AddressInfo;
    const provider = new LoggerProvider({
      processors: [
        new SimpleLogRecordProcessor({ exporter: new OTLPLogExporter({ url: `http://127.0.0.1:${port}/v1/logs` }) }),
      ],
    });
    await listen({ onRecord: toOpenTelemetry({ logger: provider.getLogger('enclaves') }) });
    const enclave = telemetry();
    enclave.log('error', 'file-refused', { file: 'b.csv' });
    await enclave.close();
    await eventually(() => expect(bodies).toHaveLength(1));
    const [log] = JSON.parse(bodies[0] ?? '').resourceLogs[0].scopeLogs[0].logRecords;
    expect(log).toMatchObject({ severityText: 'ERROR', severityNumber: 17, body: { stringValue: 'file-refused' } });
    expect(JSON.stringify(log.attributes)).toContain('"vsock.cid"');
    await provider.shutdown();
    collector.close();
  });

  it('turns metrics into counters and gauges, at most 256', async () => {
    const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
    const provider = new MeterProvider({
      readers: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })],
    });
    await listen({ onRecord: toOpenTelemetry({ meter: provider.getMeter('enclaves') }) });
    const enclave = telemetry();
    enclave.add('rows', 2);
    enclave.add('rows', 3);
    enclave.set('queue', 9);
    for (let name = 0; name < 300; name += 1) enclave.set(`gauge-${name}`, name);
    await enclave.close();
    await eventually(async () => {
      exporter.reset();
      await provider.forceFlush();
      const metrics = exporter
        .getMetrics()
        .flatMap((resource) => resource.scopeMetrics.flatMap((scope) => scope.metrics));
      const values = new Map(metrics.map((metric) => [metric.descriptor.name, metric.dataPoints[0]?.value]));
      expect([values.get('rows'), values.get('queue'), values.size]).toEqual([5, 9, 256]);
    });
    await provider.shutdown();
  });
});
