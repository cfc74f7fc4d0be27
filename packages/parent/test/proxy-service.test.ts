import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo, Server, Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import type { VsockSocket } from '@nitro-enclaves/vsock';
import { unixTransport } from '@nitro-enclaves/vsock';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type {
  EgressRoute,
  IngressRoute,
  ProxyConfig,
  ProxyLogEntry,
  RelayBy,
  Resolver,
  WorldDestination,
} from '../src/index.ts';
import { ProxyService } from '../src/index.ts';
import { selfSigned } from './support/self-signed.ts';

let folder: string;
let service: ProxyService | undefined;
let log: ProxyLogEntry[];
let servers: Server[];
/** Names and what they resolve to. */
let names: Record<string, string[] | Error>;
let resolved: string[];
let relayBy: RelayBy;

const PORT = 8000;
const eventually = (check: () => unknown) => vi.waitFor(check, { timeout: 20_000 });
const resolver: Resolver = {
  resolve: async (host) => {
    const found = names[host] ?? new Error('ENOTFOUND');
    if (found instanceof Error) throw found;
    return { addresses: found, ttl: 60_000 };
  },
};

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'proxy-'));
  log = [];
  servers = [];
  names = { 'echo.example': ['127.0.0.1'] };
  resolved = [];
});
afterEach(async () => {
  await service?.drain({ timeout: 0 });
  service = undefined;
  for (const server of servers) server.close();
  await rm(folder, { recursive: true, force: true });
});

async function listen(handler: (socket: Socket) => void, host = '127.0.0.1'): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    handler(socket);
  });
  servers.push(server);
  await once(server.listen(0, host), 'listening');
  return (server.address() as AddressInfo).port;
}
const echo = () => listen((socket) => socket.pipe(socket));

/** Everything to loopback addresses is allowed by name here: the targets of these tests are on this machine. */
function egress(to: WorldDestination, more: Partial<EgressRoute> = {}): EgressRoute {
  return { direction: 'egress', name: 'out', vsockPort: PORT, to, allow: [], cids: undefined, ...more };
}
const allowAll = [{ address: '*.example', port: '*', allowPrivate: true }] as const;

async function start(config: Partial<ProxyConfig>, resolve = resolver.resolve): Promise<ProxyService> {
  // Of this test: what was broken off after the one before may still end.
  const own = log;
  service = new ProxyService({
    transport: unixTransport({ folder, cid: 3 }),
    config: { routes: [], allowList: allowAll, ...config },
    resolver: {
      resolve: (host, options) => {
        resolved.push(host);
        return resolve(host, options);
      },
    },
    relayBy,
    log: (entry) => own.push(entry),
  });
  await service.start();
  return service;
}
const enclave = (cid = 16, port = PORT): Promise<VsockSocket> =>
  unixTransport({ folder, cid }).connect({ cid: 3, port, allowHalfOpen: true, timeout: 10_000 });
const connections = () => log.filter((entry) => entry.event === 'connection');

/** Resolves when the other side has ended or broken off. */
async function gone(socket: Socket): Promise<void> {
  await new Promise((resolve) =>
    socket
      .on('error', () => undefined)
      .once('end', resolve)
      .once('close', resolve)
      .resume(),
  );
  socket.destroy();
}

/** All that comes until the end, which leaves the socket writable: the consumers of `node:stream` destroy it. */
async function readAll(socket: Socket): Promise<string> {
  let all = '';
  socket.setEncoding('utf8').on('data', (piece) => {
    all += piece;
  });
  await once(socket, 'end');
  return all;
}

async function exchange(socket: Socket, bytes: Uint8Array): Promise<Buffer> {
  socket.end(bytes);
  return buffer(socket);
}

describe.each<RelayBy>(['addon', 'streams'])('relayed by %s', (by) => {
  beforeEach(() => {
    relayBy = by;
  });

  describe('a route to one host', () => {
    it('relays bytes both ways, each end passed on by itself', async () => {
      const seen: string[] = [];
      const port = await listen(async (socket) => {
        seen.push(await readAll(socket));
        socket.write('after your end');
        setTimeout(() => socket.end(', still here'), 50);
      });
      await start({ routes: [egress({ kind: 'tcp', host: 'echo.example', port })] });
      const answer = await exchange(await enclave(), Buffer.from('to the end'));
      expect(answer.toString()).toBe('after your end, still here');
      expect(seen).toEqual(['to the end']);
      await eventually(() =>
        expect(connections()).toMatchObject([
          { outcome: 'closed', target: `echo.example:${port}`, cid: 16, bytesForward: 10, bytesBack: 26 },
        ]),
      );
    });

    it('relays megabytes without a changed byte', async () => {
      await start({ routes: [egress({ kind: 'tcp', host: 'echo.example', port: await echo() })] });
      const bytes = randomBytes(8_000_000);
      const answer = await exchange(await enclave(), bytes);
      expect(createHash('sha256').update(answer).digest('hex')).toBe(createHash('sha256').update(bytes).digest('hex'));
    });

    it('reads no faster than the other side takes', async () => {
      const port = await listen((socket) => void socket.pause());
      await start({ routes: [egress({ kind: 'tcp', host: 'echo.example', port })] });
      const socket = await enclave();
      let sent = 0;
      const piece = Buffer.alloc(65_536);
      while (sent < 256 && socket.write(piece)) sent += 1;
      for (let quiet = 0; quiet < 5; quiet += 1) {
        const before = socket.bytesWritten;
        await new Promise((resolve) => setTimeout(resolve, 40));
        if (socket.bytesWritten !== before) quiet = -1;
        if (!socket.writableNeedDrain) for (let more = 0; more < 16; more += 1) socket.write(piece);
        if (socket.bytesWritten > 64_000_000) break;
      }
      expect(socket.bytesWritten - socket.writableLength).toBeLessThan(32_000_000);
      socket.destroy();
    });

    it('resets one side when the other breaks off', async () => {
      const port = await listen((socket) => void setTimeout(() => socket.resetAndDestroy(), 20));
      await start({ routes: [egress({ kind: 'tcp', host: 'echo.example', port })] });
      const socket = await enclave();
      await gone(socket);
      await eventually(() => expect(connections()).toMatchObject([{ outcome: 'reset' }]));
    });

    it('resolves a name once for its TTL, however many connections come together', async () => {
      await start({ routes: [egress({ kind: 'tcp', host: 'echo.example', port: await echo() })] });
      await Promise.all(Array.from({ length: 10 }, async () => exchange(await enclave(), Buffer.from('x'))));
      expect(resolved).toEqual(['echo.example']);
    });

    it('tries every address in turn until one answers', async () => {
      const port = await echo();
      names['many.example'] = ['127.0.0.99', '127.0.0.98', '127.0.0.1'];
      await start({ routes: [egress({ kind: 'tcp', host: 'many.example', port })] });
      expect((await exchange(await enclave(), Buffer.from('hello'))).toString()).toBe('hello');
    });

    const resolveAway = (...addresses: string[]) => {
      names['away.example'] = addresses;
    };
    const failing: [string, string, () => void][] = [
      ['a name that does not resolve', 'NAME_NOT_RESOLVED', () => undefined],
      ['a name that resolves to nothing', 'NAME_NOT_RESOLVED', () => resolveAway()],
      ['a target that refuses', 'CONNECT_FAILED', () => resolveAway('127.0.0.1')],
    ];
    it.each(failing)('%s fails that connection only: %s', async (_, outcome, prepare) => {
      prepare();
      const port = await echo();
      await start({
        routes: [
          egress({ kind: 'tcp', host: 'away.example', port: 1 }),
          egress({ kind: 'tcp', host: 'echo.example', port }, { name: 'fine', vsockPort: PORT + 1 }),
        ],
      });
      const held = await enclave(17, PORT + 1);
      held.write('before');
      await gone(await enclave());
      await eventually(() => expect(connections()).toMatchObject([{ route: 'out', outcome }]));
      expect((await exchange(held, Buffer.from(' and after'))).toString()).toBe('before and after');
    });

    it('a name that comes back after it did not resolve is asked for again', async () => {
      const port = await echo();
      names['echo.example'] = new Error('SERVFAIL');
      await start({ routes: [egress({ kind: 'tcp', host: 'echo.example', port })] });
      await gone(await enclave());
      names['echo.example'] = ['127.0.0.1'];
      expect((await exchange(await enclave(), Buffer.from('back'))).toString()).toBe('back');
    });

    it('a target that is silent is given up at the deadline', async () => {
      const silent: Resolver = { resolve: () => new Promise(() => undefined) };
      service = new ProxyService({
        transport: unixTransport({ folder, cid: 3 }),
        config: {
          routes: [egress({ kind: 'tcp', host: 'a.example', port: 1 })],
          allowList: allowAll,
          limits: { connectTimeout: 100 },
        },
        resolver: silent,
        log: (entry) => log.push(entry),
      });
      await service.start();
      await gone(await enclave());
      await eventually(() => expect(connections()).toMatchObject([{ outcome: 'NAME_NOT_RESOLVED' }]));
    });

    it('a connection on which nothing moves is ended', async () => {
      const port = await listen(() => undefined);
      await start({ routes: [egress({ kind: 'tcp', host: 'echo.example', port })], limits: { idleTimeout: 80 } });
      await gone(await enclave());
      await eventually(() => expect(connections()).toMatchObject([{ outcome: 'idle' }]));
    });
  });

  describe('what enclaves may not reach', () => {
    it.each([
      ['a name for the metadata service', ['169.254.169.254'], 'ADDRESS_NOT_ALLOWED'],
      ['a name for the metadata service by IPv6', ['fd00:ec2::254', '::ffff:169.254.169.254'], 'ADDRESS_NOT_ALLOWED'],
      ['a name for this machine', ['127.0.0.1', '::1'], 'ADDRESS_NOT_ALLOWED'],
      ['a name for a private network', ['10.0.0.1'], 'ADDRESS_NOT_ALLOWED'],
    ])('%s', async (_, addresses, outcome) => {
      names['rebound.example'] = addresses;
      await start({
        routes: [egress({ kind: 'tcp', host: 'rebound.example', port: 80 })],
        allowList: [{ address: 'rebound.example', port: 80 }],
      });
      await gone(await enclave());
      await eventually(() => expect(connections()).toMatchObject([{ outcome }]));
    });

    it('connects to no address but the ones that were checked', async () => {
      let asked = 0;
      const flipping: Resolver = {
        resolve: async () => {
          asked += 1;
          return { addresses: asked === 1 ? ['127.0.0.1'] : ['127.0.0.2'], ttl: 0 };
        },
      };
      const port = await echo();
      service = new ProxyService({
        transport: unixTransport({ folder, cid: 3 }),
        config: {
          routes: [egress({ kind: 'tcp', host: 'a.example', port })],
          allowList: [{ address: '127.0.0.1', port: '*' }],
        },
        resolver: flipping,
      });
      await service.start();
      expect((await exchange(await enclave(), Buffer.from('x'))).toString()).toBe('x');
      expect(asked).toBe(1);
    });

    it('a route of other enclaves', async () => {
      await start({ routes: [egress({ kind: 'tcp', host: 'echo.example', port: await echo() }, { cids: [17] })] });
      await gone(await enclave(16));
      expect((await exchange(await enclave(17), Buffer.from('mine'))).toString()).toBe('mine');
      expect(connections()[0]).toMatchObject({ cid: 16, outcome: 'refused', detail: 'CID not allowed' });
    });
  });

  describe('a route by the server name of TLS', () => {
    const tlsTo = async (servername: string, ca: string) => connectTls({ socket: await enclave(), servername, ca });

    it('leads each connection to the host it names, TLS untouched', async () => {
      const { key, certificate } = await selfSigned(['a.example', 'b.example']);
      const tls = createTlsServer({ key, cert: certificate }, (socket) =>
        socket.end(`you asked for ${socket.servername}`),
      );
      servers.push(tls);
      await once(tls.listen(0, '127.0.0.1'), 'listening');
      names['a.example'] = ['127.0.0.1'];
      names['b.example'] = ['127.0.0.1'];
      await start({ routes: [egress({ kind: 'sni', port: (tls.address() as AddressInfo).port })] });
      for (const name of ['a.example', 'b.example'])
        expect(await text(await tlsTo(name, certificate))).toBe(`you asked for ${name}`);
      expect(resolved).toEqual(['a.example', 'b.example']);
    });

    it('refuses names that are not on the list, plain text, and silence', async () => {
      await start({ routes: [egress({ kind: 'sni', port: 443 })], limits: { connectTimeout: 200 } });
      const evil = connectTls({ socket: await enclave(), servername: 'evil.test' }).on('error', () => undefined);
      await gone(evil);
      const plain = (await enclave()).on('error', () => undefined);
      plain.write('GET / HTTP/1.1\r\n\r\n');
      await gone(plain);
      await gone(await enclave());
      await eventually(() =>
        expect(connections().map((entry) => 'outcome' in entry && entry.outcome)).toEqual([
          'TARGET_NOT_ALLOWED',
          'CLIENT_HELLO_REFUSED',
          'CONNECT_TIMEOUT',
        ]),
      );
    });
  });

  describe('a route by HTTP CONNECT', () => {
    const ask = async (head: string): Promise<string> => {
      const socket = (await enclave()).on('error', () => undefined);
      socket.write(head);
      return text(socket);
    };

    it('opens a tunnel to the host and port asked for, early bytes included', async () => {
      const port = await echo();
      await start({ routes: [egress({ kind: 'connect' })] });
      const socket = await enclave();
      socket.end(`CONNECT echo.example:${port} HTTP/1.1\r\nHost: echo.example\r\n\r\nearly`);
      expect(await text(socket)).toBe('HTTP/1.1 200 Connection established\r\n\r\nearly');
    });

    it.each([
      ['CONNECT evil.test:443 HTTP/1.1\r\n\r\n', 403],
      ['CONNECT 169.254.169.254:80 HTTP/1.1\r\n\r\n', 403],
      ['CONNECT away.example:443 HTTP/1.1\r\n\r\n', 502],
      ['GET / HTTP/1.1\r\n\r\n', 405],
      ['nonsense\r\n\r\n', 400],
    ])('answers %j with %d', async (head, status) => {
      await start({ routes: [egress({ kind: 'connect' })] });
      expect(await ask(head)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    });

    it('cuts off an enclave that keeps the connection open after it was refused', async () => {
      await start({ routes: [egress({ kind: 'connect' })], limits: { connectTimeout: 100 } });
      const socket = (await enclave()).on('error', () => undefined);
      socket.write('CONNECT evil.test:443 HTTP/1.1\r\n\r\nand more');
      await once(socket.resume(), 'end');
      await eventually(() => {
        if (socket.writable) socket.write('still here');
        expect(socket.destroyed).toBe(true);
      });
      await eventually(() => expect(service?.openConnections).toBe(0));
    });
  });

  describe('a route to a Unix socket of the instance', () => {
    it('leads there', async () => {
      const path = join(folder, 'service.sock');
      const server = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket));
      servers.push(server);
      await once(server.listen(path), 'listening');
      await start({ routes: [egress({ kind: 'unix', path })] });
      expect((await exchange(await enclave(), Buffer.from('local'))).toString()).toBe('local');
    });

    it('fails where there is none', async () => {
      await start({ routes: [egress({ kind: 'unix', path: join(folder, 'none.sock') })] });
      await gone(await enclave());
      await eventually(() => expect(connections()).toMatchObject([{ outcome: 'CONNECT_FAILED' }]));
    });
  });

  describe('a route into an enclave', () => {
    const ingress = (more: Partial<IngressRoute> = {}): IngressRoute => ({
      direction: 'ingress',
      name: 'in',
      from: { kind: 'unix', path: join(folder, 'in.sock') },
      cid: 16,
      port: 443,
      proxyProtocol: undefined,
      ...more,
    });
    const serveInEnclave = async (handler: (socket: VsockSocket) => void) => {
      const server = unixTransport({ folder, cid: 16 }).createServer({ allowHalfOpen: true }, handler);
      await server.listen({ port: 443 });
      return server;
    };

    it('relays what the world sends to its port', async () => {
      const server = await serveInEnclave((socket) => socket.pipe(socket));
      await start({ routes: [ingress()] });
      expect(
        (
          await exchange(connect({ path: join(folder, 'in.sock'), allowHalfOpen: true }), Buffer.from('in and out'))
        ).toString(),
      ).toBe('in and out');
      await server.drain({ timeout: 0 });
    });

    it.each([1, 2] as const)('tells who connected, by the PROXY protocol version %d', async (proxyProtocol) => {
      const server = await serveInEnclave((socket) => socket.pipe(socket));
      const probe = createServer();
      await once(probe.listen(0, '127.0.0.1'), 'listening');
      const { port } = probe.address() as AddressInfo;
      await new Promise((resolve) => probe.close(resolve));
      await start({ routes: [ingress({ from: { kind: 'tcp', host: '127.0.0.1', port }, proxyProtocol })] });
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
      const answer = await exchange(socket, Buffer.from('body'));
      if (proxyProtocol === 1)
        expect(answer.toString()).toMatch(new RegExp(`^PROXY TCP4 127.0.0.1 127.0.0.1 \\d+ ${port}\r\nbody$`));
      else
        expect(answer.toString('hex')).toMatch(/^0d0a0d0a000d0a515549540a2111000c7f0000017f000001[0-9a-f]{8}626f6479$/);
      await server.drain({ timeout: 0 });
    });

    it('closes connections while the enclave is away, and relays once it is back', async () => {
      await start({ routes: [ingress()] });
      const path = join(folder, 'in.sock');
      await gone(connect({ path }));
      const server = await serveInEnclave((socket) => socket.pipe(socket));
      expect((await exchange(connect({ path, allowHalfOpen: true }), Buffer.from('back'))).toString()).toBe('back');
      await server.drain({ timeout: 0 });
    });
  });

  describe('limits', () => {
    it('refuse what is beyond them at once, and take the next when one ends', async () => {
      await start({
        routes: [egress({ kind: 'tcp', host: 'echo.example', port: await echo() })],
        limits: { maxConnections: 3, maxConnectionsPerCid: 2 },
      });
      const held = [await enclave(16), await enclave(16), await enclave(17)];
      await eventually(() => expect(service?.openConnections).toBe(3));
      await gone(await enclave(18));
      expect(connections()).toMatchObject([{ cid: 18, outcome: 'refused', detail: 'maxConnections 3' }]);
      held.pop()?.destroy();
      await eventually(() => expect(service?.openConnections).toBe(2));
      await gone(await enclave(16));
      expect(connections().at(-1)).toMatchObject({ cid: 16, detail: 'maxConnectionsPerCid 2' });
      expect((await exchange(await enclave(17), Buffer.from('room'))).toString()).toBe('room');
    });
  });

  describe('reload', () => {
    it('keeps connections, changes routes, starts new ones and lets gone ones run out', async () => {
      const [first, second] = [await echo(), await listen((socket) => socket.end('second'))];
      const to = (port: number): WorldDestination => ({ kind: 'tcp', host: 'echo.example', port });
      const gone = egress(to(first), { name: 'gone', vsockPort: PORT + 1 });
      const running = await start({ routes: [egress(to(first)), gone] });
      const held = await enclave();
      const heldByGone = await enclave(16, PORT + 1);
      heldByGone.write('still ');
      held.write('still ');
      await eventually(() => expect(running.openConnections).toBe(2));
      await running.reload({
        routes: [egress(to(second)), egress(to(second), { name: 'new', vsockPort: PORT + 2 })],
        allowList: allowAll,
      });
      expect(await text(await enclave())).toBe('second');
      expect(await text(await enclave(16, PORT + 2))).toBe('second');
      await expect(enclave(16, PORT + 1)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
      expect((await exchange(held, Buffer.from('here'))).toString()).toBe('still here');
      expect((await exchange(heldByGone, Buffer.from('here'))).toString()).toBe('still here');
    });

    it('changes nothing when the new configuration cannot be had', async () => {
      const running = await start({ routes: [egress({ kind: 'tcp', host: 'echo.example', port: await echo() })] });
      const taken = unixTransport({ folder, cid: 3 }).createServer();
      await taken.listen({ port: PORT + 1 });
      const impossible = [
        egress({ kind: 'connect' }, { vsockPort: PORT + 2, name: 'a' }),
        egress({ kind: 'connect' }, { vsockPort: PORT + 1, name: 'b' }),
      ];
      await expect(running.reload({ routes: impossible, allowList: [] })).rejects.toMatchObject({ code: 'EADDRINUSE' });
      const wrong = [egress({ kind: 'connect' }, { allow: [{ address: '*', port: 1 }] })];
      await expect(running.reload({ routes: wrong, allowList: [] })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
      expect((await exchange(await enclave(), Buffer.from('as before'))).toString()).toBe('as before');
      await expect(enclave(16, PORT + 2)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
      await taken.drain({ timeout: 0 });
    });
  });

  describe('draining', () => {
    it('takes no more connections, and lets those under way end', async () => {
      const running = await start({ routes: [egress({ kind: 'tcp', host: 'echo.example', port: await echo() })] });
      const held = await enclave();
      held.write('to ');
      await eventually(() => expect(running.openConnections).toBe(1));
      const drained = running.drain({ timeout: 20_000 });
      expect(running.isServing).toBe(false);
      await eventually(() => expect(enclave()).rejects.toMatchObject({ code: 'ECONNREFUSED' }));
      expect((await exchange(held, Buffer.from('the end'))).toString()).toBe('to the end');
      await drained;
    });

    it('breaks off what does not end in time', async () => {
      const running = await start({ routes: [egress({ kind: 'tcp', host: 'echo.example', port: await echo() })] });
      const held = (await enclave()).on('error', () => undefined);
      await eventually(() => expect(running.openConnections).toBe(1));
      const closed = gone(held);
      await running.drain({ timeout: 50 });
      await closed;
    });

    it('leaves no connection to a target that answers after the enclave was broken off', async () => {
      const arrived: Socket[] = [];
      const port = await listen((socket) => arrived.push(socket.resume()));
      let answer: (addresses: string[]) => void = () => undefined;
      const slow = new Promise<string[]>((resolve) => {
        answer = resolve;
      });
      const running = await start({ routes: [egress({ kind: 'tcp', host: 'slow.example', port })] }, async () => ({
        addresses: await slow,
        ttl: 1000,
      }));
      const held = (await enclave()).on('error', () => undefined);
      await eventually(() => expect(resolved).toEqual(['slow.example']));
      await running.drain({ timeout: 0 });
      await gone(held);
      answer(['127.0.0.1']);
      await eventually(() => expect(arrived.map((socket) => socket.readableEnded || socket.destroyed)).toEqual([true]));
      await eventually(() => expect(running.openConnections).toBe(0));
      expect(connections()).toMatchObject([{ outcome: 'reset' }]);
    });
  });

  describe('metrics and logs', () => {
    it('count connections, bytes and outcomes by route', async () => {
      const running = await start({ routes: [egress({ kind: 'tcp', host: 'echo.example', port: await echo() })] });
      await exchange(await enclave(), Buffer.from('12345'));
      await eventually(() => expect(connections()).toHaveLength(1));
      const metrics = await running.metrics.metrics();
      expect(metrics).toContain('nitro_proxy_connections_total{route="out",outcome="closed"} 1');
      expect(metrics).toContain('nitro_proxy_bytes_total{route="out",direction="forward"} 5');
      expect(metrics).toContain('nitro_proxy_connections_open{route="out"} 0');
    });

    it('hold no byte of what passed', async () => {
      await start({ routes: [egress({ kind: 'tcp', host: 'echo.example', port: await echo() })] });
      await exchange(await enclave(), Buffer.from('a secret of the payload'));
      await eventually(() => expect(connections()).toHaveLength(1));
      expect(JSON.stringify(log)).not.toContain('secret');
    });
  });

  describe('many at a time', () => {
    it('1 000 connections are relayed by one process, none disturbs another', async () => {
      const port = await echo();
      await start({ routes: [egress({ kind: 'tcp', host: 'echo.example', port })] });
      const sockets = await Promise.all(Array.from({ length: 1000 }, (_, index) => enclave(16 + (index % 4))));
      await eventually(() => expect(service?.openConnections).toBe(1000));
      const answers = await Promise.all(sockets.map((socket, index) => exchange(socket, Buffer.from(`I am ${index}`))));
      expect(answers.map(String)).toEqual(answers.map((_, index) => `I am ${index}`));
      await eventually(() => expect(service?.openConnections).toBe(0));
    }, 120_000);
  });
});
