import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer as createHttpsServer, get } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { unixTransport } from '@nitro-enclaves/vsock';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { enclaveEgress } from '../src/enclave/index.ts';
import { ProxyService } from '../src/index.ts';
import { selfSigned } from './support/self-signed.ts';

let folder: string;
let proxy: ProxyService;
const allow = [{ address: 'api.example', port: '*' }] as const;
const egress = (entries: Parameters<typeof enclaveEgress>[0]['allow'] = allow) =>
  enclaveEgress({ transport: unixTransport({ folder, cid: 16 }), port: 3128, allow: entries, timeout: 10_000 });

const route = {
  direction: 'egress',
  name: 'web',
  vsockPort: 3128,
  to: { kind: 'connect' },
  allow: [],
  cids: undefined,
} as const;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'egress-'));
  proxy = new ProxyService({
    transport: unixTransport({ folder, cid: 3 }),
    config: { routes: [route], allowList: [{ address: '*.example', port: '*', allowPrivate: true }] },
    resolver: { resolve: async () => ({ addresses: ['127.0.0.1'], ttl: 1000 }) },
  });
  await proxy.start();
});
afterEach(async () => {
  await proxy.drain({ timeout: 0 });
  await rm(folder, { recursive: true });
});

describe("the enclave's own way out", () => {
  it('connects to what its own list names, through the parent', async () => {
    const server = createServer((socket) => socket.on('error', () => {}).end('hello from outside'));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const socket = await egress().connect({ host: 'api.example', port: (server.address() as AddressInfo).port });
    expect(await text(socket)).toBe('hello from outside');
    server.close();
  });

  it('gives an agent for https, with TLS ending in the enclave', async () => {
    const { key, certificate } = await selfSigned(['api.example']);
    const server = createHttpsServer({ key, cert: certificate }, (_, response) => response.end('over TLS'));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const agent = egress().agent({ ca: certificate, keepAlive: false });
    const [response] = await once(get({ host: 'api.example', port, path: '/', agent }), 'response');
    expect(await text(response)).toBe('over TLS');
    server.close();
  });

  it('makes no more connections at a time than maxSockets, also while they are being made', async () => {
    const { key, certificate } = await selfSigned(['api.example']);
    let [open, most] = [0, 0];
    const server = createHttpsServer({ key, cert: certificate }, (_, response) => {
      setTimeout(() => response.end('one of many'), 20);
    });
    server.on('secureConnection', (socket) => {
      open += 1;
      most = Math.max(most, open);
      socket
        .on('error', () => undefined)
        .once('close', () => {
          open -= 1;
        });
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const agent = egress().agent({ ca: certificate, maxSockets: 2 });
    const ask = async () => {
      const [response] = await once(get({ host: 'api.example', port, path: '/', agent }), 'response');
      return text(response);
    };
    expect(await Promise.all(Array.from({ length: 10 }, ask))).toEqual(Array(10).fill('one of many'));
    expect(most).toBe(2);
    agent.destroy();
    server.close();
  });

  it('serves the requests that wait behind one whose connection did not come about', async () => {
    const agent = egress().agent({ maxSockets: 1 });
    const requests = Array.from({ length: 3 }, () => get({ host: 'other.example', port: 443, agent }));
    for (const [error] of await Promise.all(requests.map((request) => once(request, 'error'))))
      expect(error).toMatchObject({ code: 'TARGET_NOT_ALLOWED' });
  });

  it('refuses what its own list does not name, before anything leaves the enclave', async () => {
    await expect(egress().connect({ host: 'other.example', port: 443 })).rejects.toMatchObject({
      code: 'TARGET_NOT_ALLOWED',
    });
    const agent = egress().agent();
    const request = get({ host: 'other.example', port: 443, agent });
    const [error] = await once(request, 'error');
    expect(error).toMatchObject({ code: 'TARGET_NOT_ALLOWED' });
  });

  it('lets a range through by address only, since it is the parent that says where a name leads', async () => {
    const server = createServer((socket) => socket.on('error', () => {}).end('by address'));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const ranges = egress([{ address: '127.0.0.0/8', port: '*' }]);
    for (const host of ['api.example', '10.0.0.1', '::1'])
      await expect(ranges.connect({ host, port })).rejects.toMatchObject({ code: 'TARGET_NOT_ALLOWED' });
    await proxy.reload({ routes: [route], allowList: [{ address: '127.0.0.1', port: '*' }] });
    expect(await text(await ranges.connect({ host: '127.0.0.1', port }))).toBe('by address');
    server.close();
  });

  it('is given up when its signal says so', async () => {
    await proxy.drain({ timeout: 0 });
    const silent = unixTransport({ folder, cid: 3 }).createServer({}, () => undefined);
    await silent.listen({ port: 3128 });
    const stop = new AbortController();
    const connecting = egress().connect({ host: 'api.example', port: 443 }, { signal: stop.signal });
    setTimeout(() => stop.abort(new Error('no longer wanted')), 50);
    await expect(connecting).rejects.toThrow('no longer wanted');
    await silent.drain({ timeout: 0 });
  });

  it("fails where the parent's list does not name it", async () => {
    const wide = egress([{ address: 'elsewhere.test', port: 443 }]);
    await expect(wide.connect({ host: 'elsewhere.test', port: 443 })).rejects.toMatchObject({ code: 'CONNECT_FAILED' });
  });

  it('fails where there is no proxy', async () => {
    await proxy.drain({ timeout: 0 });
    await expect(egress().connect({ host: 'api.example', port: 443 })).rejects.toMatchObject({
      code: 'CONNECT_FAILED',
      cause: { code: 'ECONNREFUSED' },
    });
  });

  it('does not wait for a proxy that says nothing', async () => {
    const silent = unixTransport({ folder, cid: 3 }).createServer({}, (socket) => void socket.resume());
    await silent.listen({ port: 3129 });
    const waiting = enclaveEgress({ transport: unixTransport({ folder, cid: 16 }), port: 3129, allow, timeout: 100 });
    await expect(waiting.connect({ host: 'api.example', port: 443 })).rejects.toMatchObject({ code: 'CONNECT_FAILED' });
    await silent.drain({ timeout: 0 });
  });

  it('does not start with a list that is none', () => {
    expect(() => egress([{ address: 'a b', port: 443 }])).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  });
});
