import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { TransportFault } from '@nitro-enclaves/emulator';
import { FaultSchedule, faultyTransport, Seed } from '@nitro-enclaves/emulator';
import type { VsockSocket } from '@nitro-enclaves/vsock';
import { unixTransport, VMADDR_CID_PARENT } from '@nitro-enclaves/vsock';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ne-'));
});
afterEach(() => rm(folder, { recursive: true }));

const ENCLAVE = 16;
const PORT = 5000;

function transports(faults: readonly TransportFault[], seed = 'transport') {
  const schedule = new FaultSchedule(Seed.from(seed), faults);
  const parent = faultyTransport({
    transport: unixTransport({ folder, cid: VMADDR_CID_PARENT }),
    faults: schedule,
    scratch: folder,
  });
  return { parent, enclave: unixTransport({ folder, cid: ENCLAVE }), schedule };
}

/** Everything up to the end of the other side, or to the cut. Not by iteration, which would destroy the socket. */
function readAll(socket: VsockSocket): Promise<Buffer> {
  const pieces: Buffer[] = [];
  return new Promise((resolve) => {
    const end = () => resolve(Buffer.concat(pieces));
    socket.on('data', (piece) => pieces.push(piece));
    socket.on('error', () => undefined);
    socket.once('end', end).once('close', end);
  });
}

/** What the enclave gets of `message`, which the parent sends on a connection of its own. */
async function sendToEnclave(message: Buffer, ...faults: TransportFault[]): Promise<Buffer> {
  const { parent, enclave } = transports(faults);
  const received = new Promise<Buffer>((resolve) => {
    const server = enclave.createServer({}, (socket) => {
      resolve(readAll(socket));
      server.close();
    });
    server.listen({ port: PORT }).then(async () => {
      const socket = await parent.connect({ cid: ENCLAVE, port: PORT });
      socket.on('error', () => undefined);
      socket.end(message);
    });
  });
  return received;
}

const MESSAGE = Buffer.from('0123456789abcdefghijklmnopqrstuvwxyz');

describe('an adversarial parent', () => {
  it('delivers what it is given when it has no faults', async () => {
    expect(await sendToEnclave(MESSAGE)).toEqual(MESSAGE);
  });

  it.each<[TransportFault, string]>([
    [{ kind: 'delay', ms: 5 }, MESSAGE.toString()],
    [{ kind: 'truncate', bytes: 10 }, '0123456789'],
    [{ kind: 'truncate', bytes: 0 }, ''],
    [{ kind: 'drop', bytes: 3 }, '012'],
    [{ kind: 'stall', bytes: 100 }, MESSAGE.toString()],
    [{ kind: 'corrupt', at: 1 }, '0023456789abcdefghijklmnopqrstuvwxyz'],
    [{ kind: 'swap', bytes: 3 }, '3450126789abcdefghijklmnopqrstuvwxyz'],
    [{ kind: 'swap', bytes: 100 }, MESSAGE.toString()],
    [{ kind: 'replay', bytes: 4 }, `0123${MESSAGE}`],
    [{ kind: 'truncate', bytes: 10, direction: 'to-parent' }, MESSAGE.toString()],
    [{ kind: 'truncate', bytes: 10, port: PORT + 1 }, MESSAGE.toString()],
  ])('%j', async (fault, expected) => {
    expect((await sendToEnclave(MESSAGE, fault)).toString()).toBe(expected);
  });

  it('truncates at once, not only when the other side has ended', async () => {
    const { parent, enclave } = transports([{ kind: 'truncate', bytes: 4 }]);
    const server = enclave.createServer({}, (socket) => {
      socket.write(MESSAGE);
      socket.once('data', (piece) => socket.write(piece));
      socket.once('end', () => socket.end('end'));
    });
    await server.listen({ port: PORT });
    const socket = await parent.connect({ cid: ENCLAVE, port: PORT, allowHalfOpen: true });
    socket.write('more than four');
    expect((await readAll(socket)).toString()).toBe(`${MESSAGE}moreend`);
    await server.drain();
  });

  it('stalls: neither the rest nor the end arrives as long as it listens', async () => {
    const { parent, enclave } = transports([{ kind: 'stall', bytes: 5 }]);
    const server = parent.createServer({ allowHalfOpen: true });
    const heard = new Promise<Buffer>((resolve) => {
      server.on('connection', (socket) => {
        resolve(readAll(socket));
        socket.end(MESSAGE);
      });
    });
    await server.listen({ port: 8000 });
    const socket = await enclave.connect({ cid: VMADDR_CID_PARENT, port: 8000, allowHalfOpen: true });
    const answered = readAll(socket).then(String);
    socket.end('question');
    expect(String(await heard)).toBe('question');
    expect(await Promise.race([answered, delay(200, 'silence')])).toBe('silence');
    await server.drain({ timeout: 0 });
    expect(await answered).toBe('01234');
  });

  it('tells the enclave that the parent has given up a connection of its own that stalls', async () => {
    const { parent, enclave } = transports([{ kind: 'stall', bytes: 5 }]);
    const heard = new Promise<Buffer>((resolve) => {
      const server = enclave.createServer({}, (socket) => {
        server.close();
        resolve(readAll(socket));
      });
      server.listen({ port: PORT }).then(async () => {
        const socket = await parent.connect({ cid: ENCLAVE, port: PORT });
        socket.write(MESSAGE, () => setTimeout(() => socket.destroy(), 100));
      });
    });
    expect(String(await heard)).toBe('01234');
  });

  it('has several faults at once', async () => {
    const received = await sendToEnclave(MESSAGE, { kind: 'replay', bytes: 2 }, { kind: 'truncate', bytes: 5 });
    expect(received.toString()).toBe('01012');
  });

  it('corrupts one bit, at a place that the seed chooses', async () => {
    const message = randomBytes(8192);
    const first = await sendToEnclave(message, { kind: 'corrupt' });
    const differing = [...first.entries()].filter(([index, byte]) => byte !== message[index]);
    expect(differing).toHaveLength(1);
    expect(await sendToEnclave(message, { kind: 'corrupt' })).toEqual(first);
  });

  it('does it to the connections that enclaves make, in either direction, and keeps their CID', async () => {
    const { parent, enclave } = transports([
      { kind: 'truncate', bytes: 4, direction: 'to-parent' },
      { kind: 'corrupt', at: 0 },
    ]);
    const heard: string[] = [];
    const server = parent.createServer({ allowHalfOpen: true }, async (socket) => {
      heard.push(`${socket.remoteCid}: ${await readAll(socket)}`);
      socket.end('yes');
    });
    await server.listen({ port: 8000 });
    const socket = await enclave.connect({ cid: VMADDR_CID_PARENT, port: 8000, allowHalfOpen: true });
    socket.end('question');
    expect((await readAll(socket)).toString()).toBe('xes');
    expect(heard).toEqual(['16: ques']);
    await server.drain();
  });

  it('recovers when its faults end', async () => {
    const { parent, enclave, schedule } = transports([{ kind: 'truncate', bytes: 0 }]);
    const server = parent.createServer({}, (socket) => socket.end('answer'));
    await server.listen({ port: 8000 });
    const ask = async () => (await readAll(await enclave.connect({ cid: VMADDR_CID_PARENT, port: 8000 }))).toString();
    expect(await ask()).toBe('');
    schedule.set([]);
    expect(await ask()).toBe('answer');
    await server.drain();
  });

  it('passes a megabyte through faults that do not touch it, and leaves no socket behind', async () => {
    const message = randomBytes(1 << 20);
    expect(await sendToEnclave(message, { kind: 'corrupt', at: 1 << 21 }, { kind: 'delay', ms: 0 })).toEqual(message);
    expect((await readdir(folder)).filter((name) => name.startsWith('pair-'))).toEqual([]);
  });

  it.each([false, true])('ends the other side as net.Socket does with allowHalfOpen %s', async (allowHalfOpen) => {
    const { parent, enclave } = transports([{ kind: 'delay', ms: 1 }]);
    const server = enclave.createServer({}, (socket) => socket.end('bye'));
    await server.listen({ port: PORT });
    const socket = await parent.connect({ cid: ENCLAVE, port: PORT, allowHalfOpen });
    expect((await readAll(socket)).toString()).toBe('bye');
    await new Promise(setImmediate);
    expect(socket.writableEnded).toBe(!allowHalfOpen);
    socket.destroy();
    await server.drain({ timeout: 0 });
  });
});
