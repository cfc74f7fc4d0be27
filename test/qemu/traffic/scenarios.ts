// What either side does to the services of the other.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage, RequestOptions } from 'node:http';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Transport, VsockSocket } from '@nitro-enclaves/vsock';
import { VsockAgent, VsockHttpsAgent } from '@nitro-enclaves/vsock';
import { Checksum, pattern, summed } from './pattern.ts';
import { FLEETING_CONNECTIONS, SERVICE, TLS_NAME } from './services.ts';

const MIB = 2 ** 20;

/** How much of everything there is to be. */
export interface Load {
  /** Size of a bulk transfer, in MiB. */
  readonly bulkMebibytes: number;
  /** Number of short connections. */
  readonly connections: number;
}

/** Whom a scenario visits, and how much of it there is to be. */
export interface Visit extends Load {
  readonly transport: Transport;
  readonly cid: number;
  readonly firstPort: number;
  readonly certificate: string;
}

/** Something to do to the other side; gives figures. */
export interface Scenario {
  name: string;
  /** Deadline, in ms. */
  timeout: number;
  run(visit: Visit): Promise<string>;
}

function connect({ transport, cid, firstPort }: Visit, service: number): Promise<VsockSocket> {
  return transport.connect({ cid, port: firstPort + service, allowHalfOpen: true, timeout: 30_000 });
}

function rate(bytes: number, start: number): string {
  const seconds = (performance.now() - start) / 1000;
  return `${(bytes / MIB / seconds).toFixed(0)} MiB/s`;
}

async function readAll(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Runs `work` for each of `count` numbers, at most `width` at a time. */
async function inParallel(count: number, width: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      const index = next;
      next += 1;
      await work(index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, count) }, worker));
}

async function echoStreams(visit: Visit): Promise<string> {
  let bytes = 0;
  await inParallel(40, 40, async (index) => {
    const size = (index * index * 997) % (768 * 1024);
    const [sent, received] = [new Checksum(), new Checksum()];
    const socket = await connect(visit, SERVICE.ECHO);
    const sending = pipeline(Readable.from(summed(pattern(size), sent), { objectMode: false }), socket, { end: true });
    for await (const block of socket.iterator({ destroyOnReturn: false })) received.update(block);
    await sending;
    assert.deepEqual(received.digest(), sent.digest(), `stream of ${size} bytes`);
    bytes += size;
  });
  return `40 streams, ${(bytes / MIB).toFixed(1)} MiB each way`;
}

/** Reads `size` bytes and the checksum behind them, which must be theirs. */
async function readSummed(socket: VsockSocket, size: number): Promise<void> {
  const checksum = new Checksum();
  let left = size;
  let told: Buffer = Buffer.alloc(0);
  for await (const block of socket) {
    const data: Buffer = block.subarray(0, left);
    checksum.update(data);
    left -= data.length;
    told = Buffer.concat([told, block.subarray(data.length)]);
  }
  assert.equal(left, 0, 'bytes that did not come');
  assert.deepEqual(told, checksum.digest());
}

async function receiveBulk(visit: Visit): Promise<string> {
  const size = visit.bulkMebibytes * MIB;
  const start = performance.now();
  const socket = await connect(visit, SERVICE.BULK);
  socket.end(`${JSON.stringify({ give: size })}\n`);
  await readSummed(socket, size);
  return `${visit.bulkMebibytes} MiB received, CRC-32 equal, ${rate(size, start)}`;
}

async function sendBulk(visit: Visit): Promise<string> {
  const size = visit.bulkMebibytes * MIB;
  const start = performance.now();
  const socket = await connect(visit, SERVICE.BULK);
  const checksum = new Checksum();
  socket.write(`${JSON.stringify({ take: size })}\n`);
  const told = readAll(socket.iterator({ destroyOnReturn: false }));
  await pipeline(Readable.from(summed(pattern(size), checksum), { objectMode: false }), socket);
  assert.deepEqual(await told, checksum.digest());
  return `${visit.bulkMebibytes} MiB sent, CRC-32 equal, ${rate(size, start)}`;
}

function exchange(
  start: (answered: (response: IncomingMessage) => void) => ReturnType<typeof httpRequest>,
  body: Buffer,
) {
  return new Promise<string>((resolve, reject) => {
    const request = start((response) => {
      readAll(response).then((text) => resolve(text.toString()), reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

async function requests(
  send: (options: RequestOptions, answered: (response: IncomingMessage) => void) => ReturnType<typeof httpRequest>,
): Promise<string> {
  const [small, large] = [Buffer.from('a few bytes'), Buffer.concat([...pattern(MIB)])];
  const checksumOf = (body: Buffer): string => {
    const checksum = new Checksum();
    checksum.update(body);
    return checksum.digest().toString('hex');
  };
  let count = 0;
  await inParallel(60, 6, async (index) => {
    const body = index % 10 === 0 ? large : small;
    const told = await exchange(
      (answered) => send({ method: 'POST', host: TLS_NAME, path: '/checksum' }, answered),
      body,
    );
    assert.equal(told, checksumOf(body));
    count += 1;
  });
  return `${count} requests`;
}

async function http({ transport, cid, firstPort }: Visit): Promise<string> {
  const agent = new VsockAgent({ transport, cid, port: firstPort + SERVICE.HTTP, keepAlive: true, maxSockets: 6 });
  try {
    return await requests((options, answered) => httpRequest({ ...options, agent }, answered));
  } finally {
    agent.destroy();
  }
}

async function https({ transport, cid, firstPort, certificate }: Visit): Promise<string> {
  const port = firstPort + SERVICE.HTTPS;
  const agent = new VsockHttpsAgent({ transport, cid, port, keepAlive: true, maxSockets: 6, ca: certificate });
  try {
    return await requests((options, answered) => httpsRequest({ ...options, agent }, answered));
  } finally {
    agent.destroy();
  }
}

async function shortConnections(visit: Visit): Promise<string> {
  const start = performance.now();
  await inParallel(visit.connections, 32, async () => {
    const socket = await connect(visit, SERVICE.ECHO);
    socket.end('x');
    assert.equal((await readAll(socket)).toString(), 'x');
  });
  const perSecond = visit.connections / ((performance.now() - start) / 1000);
  return `${visit.connections} connections, ${perSecond.toFixed(0)} a second`;
}

/** Waits for the end of `socket`, however it comes; the error if there was one. */
async function ended(socket: VsockSocket): Promise<string> {
  let code = 'end';
  socket.on('error', (error: NodeJS.ErrnoException) => {
    code = error.code ?? error.message;
  });
  if (!socket.closed) await new Promise<void>((resolve) => socket.once('close', () => resolve()));
  return code;
}

async function vanishing(visit: Visit): Promise<string> {
  const reader = await connect(visit, SERVICE.VANISH);
  const readerEnd = ended(reader);
  reader.write('sending\n');
  reader.once('end', () => reader.destroy());
  reader.resume();

  const writer = await connect(visit, SERVICE.VANISH);
  const writerEnd = ended(writer);
  writer.write('receiving\n');
  writer.resume();
  for (const block of pattern(64 * MIB)) {
    if (writer.destroyed) break;
    if (!writer.write(block)) await Promise.race([once(writer, 'drain').catch(() => undefined), writerEnd]);
  }
  assert.ok(writer.destroyed, 'expected the connection to be over before all was sent');
  assert.ok(['EPIPE', 'ECONNRESET', 'ENOTCONN'].includes(await writerEnd), await writerEnd);
  return `while it sent: ${await readerEnd}; while it received: ${await writerEnd}`;
}

async function pausedReader(visit: Visit): Promise<string> {
  const size = 48 * MIB;
  const socket = await connect(visit, SERVICE.BULK);
  socket.end(`${JSON.stringify({ give: size })}\n`);
  await sleep(1500);
  const held = socket.bytesRead;
  assert.ok(held <= MIB, `${held} bytes read before anybody asked for them`);
  await readSummed(socket, size);
  return `${held} bytes held, then ${size} read`;
}

/** What comes of one visit to the fleeting listener: served or turned away, but never left waiting. */
async function fleetingVisit(visit: Visit): Promise<'served' | 'refused'> {
  try {
    const socket = await connect(visit, SERVICE.FLEETING);
    socket.end();
    return (await readAll(socket)).toString() === 'x' ? 'served' : 'refused';
  } catch (error) {
    const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
    const expected = ['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ENOTCONN'];
    assert.ok(
      expected.some((name) => name === code),
      `${String(code)}: ${String(error)}`,
    );
    return 'refused';
  }
}

async function fleetingListener(visit: Visit): Promise<string> {
  const outcomes = { served: 0, refused: 0 };
  await inParallel(4 * FLEETING_CONNECTIONS, 64, async () => {
    outcomes[await fleetingVisit(visit)] += 1;
  });
  assert.ok(outcomes.served >= FLEETING_CONNECTIONS, `${outcomes.served} served`);
  // Open again: the port was given back and taken anew.
  for (let tries = 0; (await fleetingVisit(visit)) === 'refused'; tries += 1) {
    assert.ok(tries < 500, 'expected the listener to be back');
    await sleep(10);
  }
  return `${outcomes.served} served, ${outcomes.refused} turned away`;
}

export const SCENARIOS: readonly Scenario[] = [
  { name: '40 streams of many lengths come back whole, with a half-close each', timeout: 120_000, run: echoStreams },
  { name: 'HTTP with kept-alive connections', timeout: 120_000, run: http },
  { name: 'HTTPS with kept-alive connections', timeout: 180_000, run: https },
  { name: 'bulk data is received whole, by its checksum', timeout: 1_200_000, run: receiveBulk },
  { name: 'bulk data is sent whole, by its checksum', timeout: 1_200_000, run: sendBulk },
  {
    name: 'a paused reader holds at most 1 MiB, and gets the rest when it reads on',
    timeout: 120_000,
    run: pausedReader,
  },
  { name: 'thousands of short connections', timeout: 600_000, run: shortConnections },
  { name: 'a peer that vanishes ends the connection, sending or receiving', timeout: 120_000, run: vanishing },
  {
    name: 'a listener that closes under load leaves nobody waiting, and can open again',
    timeout: 120_000,
    run: fleetingListener,
  },
];
