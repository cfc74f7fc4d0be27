import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unixTransport } from '@nitro-enclaves/vsock';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { enclaveTelemetry } from '../src/enclave/index.ts';
import { ParentService, parseServiceConfig } from '../src/index.ts';

type Entry = Record<string, unknown>;

let folder: string;
let log: Entry[];
let service: ParentService | undefined;

const eventually = (check: () => unknown) => vi.waitFor(check, { timeout: 20_000 });
const parse = (text: string) => parseServiceConfig(text, 'proxy.yaml');
const serviceOf = (text: string) => {
  service = new ParentService({
    transport: unixTransport({ folder, cid: 3 }),
    config: parse(text),
    log: (entry) => log.push({ ...entry }),
  });
  return service;
};
const enclave = (port: number) => unixTransport({ folder, cid: 16 }).connect({ cid: 3, port });
const route = (name: string, vsock: number) => `{name: ${name}, from: {vsock: ${vsock}}, to: {connect: true}}`;
const credentials = (tokenFile: string) => `credentials: {grants: [{cid: 16, tokenFile: ${join(folder, tokenFile)}}]}`;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'service-'));
  log = [];
  await writeFile(join(folder, 'token'), 'a token of the enclave\n');
  await writeFile(join(folder, 'short'), 'secret-word\n');
});
afterEach(async () => {
  await service?.stop();
  service = undefined;
  await rm(folder, { recursive: true, force: true });
});

describe('the service of a configuration file', () => {
  it('leaves nothing behind when a part of it cannot be started', async () => {
    const taken = createServer();
    await once(taken.listen(0, '127.0.0.1'), 'listening');
    const { port } = taken.address() as AddressInfo;
    const starting = serviceOf(`
metrics: 127.0.0.1:0
logs: {}
${credentials('token')}
routes: [{name: in, from: {tcp: "127.0.0.1:${port}"}, to: {cid: 16, port: 1}}]
`).start();
    await expect(starting).rejects.toMatchObject({ code: 'EADDRINUSE' });
    const metrics = log.find(({ event }) => event === 'metrics');
    const [error] = await once(connect({ host: '127.0.0.1', port: Number(metrics?.['port']) }), 'error');
    expect(error).toMatchObject({ code: 'ECONNREFUSED' });
    for (const left of [8001, 8002]) await expect(enclave(left)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    taken.close();
  });

  it('refuses a token that is too short, with the name of its file and not a word of it', async () => {
    const error: unknown = await serviceOf(credentials('short'))
      .start()
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining('short') });
    expect(String(error)).not.toContain('secret-word');
  });

  it.each([
    ['a token is too short', () => credentials('short')],
    ['a port of another is wanted', () => `${credentials('token')}\nlogs: {port: 9000}`],
  ])('stays as it was when it is reloaded and %s', async (_, wrong) => {
    const running = serviceOf(`${credentials('token')}\nroutes: [${route('first', 8000)}]`);
    await running.start();
    const other = unixTransport({ folder, cid: 3 }).createServer({}, (socket) => socket.destroy());
    await other.listen({ port: 9000 });
    await expect(running.reload(parse(`${wrong()}\nroutes: [${route('second', 8003)}]`))).rejects.toThrow();
    for (const port of [8000, 8001]) (await enclave(port)).destroy();
    await expect(enclave(8003)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await other.drain({ timeout: 0 });
  });

  it('keeps the connections of logs when another part changes, and reloads one after the other', async () => {
    const text = (vsock: number) => `logs: {}\n${credentials('token')}\nroutes: [${route('out', vsock)}]`;
    const running = serviceOf(text(8000));
    await running.start();
    const held = await enclave(8002);
    const closed = once(held, 'close').then(() => 'closed');
    await Promise.all([8010, 8011, 8012].map((vsock) => running.reload(parse(text(vsock)))));
    (await enclave(8012)).destroy();
    expect(await Promise.race([closed, 'open'])).toBe('open');
    held.destroy();
  });

  it('keeps what an enclave says apart from what it says itself', async () => {
    await serviceOf('logs: {}').start();
    const telemetry = enclaveTelemetry({ transport: unixTransport({ folder, cid: 16 }), fields: { route: 'string' } });
    telemetry.log('info', 'stopped', { route: 'kms' });
    await telemetry.close();
    await eventually(() => expect(log.filter(({ event }) => event === 'enclave')).toHaveLength(1));
    expect(log.find(({ event }) => event === 'enclave')).toMatchObject({
      cid: 16,
      record: { kind: 'log', level: 'info', event: 'stopped', fields: { route: 'kms' } },
    });
    expect(log.map(({ event }) => event)).not.toContain('stopped');
  });
});
