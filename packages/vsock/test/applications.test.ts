import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import * as http from 'node:http';
import * as http2 from 'node:http2';
import * as https from 'node:https';
import type { Server } from 'node:net';
import { createServer as createNetServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import * as tls from 'node:tls';
import * as grpc from '@grpc/grpc-js';
import type { Transport, VsockServer } from '@nitro-enclaves/vsock';
import { VsockAgent, VsockHttpsAgent, vsockConnector } from '@nitro-enclaves/vsock';
import { Agent, fetch, request } from 'undici';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { selfSigned } from './certificate.ts';
import type { Machines } from './transports.ts';
import { TRANSPORTS } from './transports.ts';

let identity = { key: '', cert: '' };
beforeAll(async () => {
  identity = await selfSigned('enclave.example');
});

/** Hands what arrives at (transport, port) to a server of Node's own. */
async function serve(transport: Transport, port: number, server: Server): Promise<VsockServer> {
  return transport.createServer({}, (socket) => server.emit('connection', socket)).listen({ port });
}

function get(agent: http.Agent, url: string, options: https.RequestOptions = {}): Promise<http.IncomingMessage> {
  const client = url.startsWith('https:') ? https : http;
  return new Promise((resolve, reject) => {
    client.get(url, { ...options, agent }, resolve).once('error', reject);
  });
}

describe.each(TRANSPORTS)('%s', (_, machines) => {
  let parent: Transport;
  let enclave: Transport;
  let other: Transport;
  const open: { close(): unknown }[] = [];
  beforeEach(async () => {
    ({ parent, enclave, other } = (await machines()) satisfies Machines);
  });
  afterEach(async () => {
    for (const thing of open.splice(0)) await thing.close();
  });
  const drain = (server: VsockServer): VsockServer => {
    open.push({ close: () => server.drain({ timeout: 0 }) });
    return server;
  };

  describe('http', () => {
    const site = http.createServer((incoming, response) => {
      incoming.pipe(response.setHeader('x-host', incoming.headers.host ?? ''));
    });

    it('is served and asked, with the host of the URL in the request', async () => {
      drain(await serve(enclave, 80, site));
      const agent = new VsockAgent({ cid: 16, port: 80, transport: parent });
      const answer = await get(agent, 'http://enclave.example/');
      expect(answer.headers['x-host']).toBe('enclave.example');
      answer.resume();
    });

    it('is cut off by the time-outs of a server that has said that it listens', async () => {
      const timeouts = { headersTimeout: 100, requestTimeout: 200, connectionsCheckingInterval: 50 };
      const strict = http.createServer(timeouts, (_incoming, response) => response.end());
      drain(await serve(enclave, 80, strict));
      strict.emit('listening');
      const socket = await parent.connect({ cid: 16, port: 80 });
      socket.on('error', () => {}).resume();
      socket.write('GET / HTTP/1.1\r\nHost: enclave.example\r\n');
      await once(socket, 'close');
      strict.close();
    });

    it('carries a body of 5 MiB there and back', async () => {
      drain(await serve(enclave, 80, site));
      const body = randomBytes(5 * 2 ** 20);
      const agent = new VsockAgent({ cid: 16, port: 80, transport: parent, keepAlive: true });
      const posted = http.request('http://enclave.example/', { method: 'POST', agent });
      posted.end(body);
      const [answer] = await once(posted, 'response');
      expect((await buffer(answer)).equals(body)).toBe(true);
      agent.destroy();
    });

    it('keeps a connection for the next request', async () => {
      let connections = 0;
      const server = drain(await serve(enclave, 80, site)).on('connection', () => connections++);
      const agent = new VsockAgent({ cid: 16, port: 80, transport: parent, keepAlive: true, maxSockets: 1 });
      for (let round = 0; round < 3; round += 1) await text(await get(agent, 'http://enclave.example/'));
      expect(connections).toBe(1);
      expect(server.listening).toBe(true);
      agent.destroy();
    });

    /** Serves the site; tells how many connections there were at most at a time. */
    async function serveCounted(): Promise<() => number> {
      let open = 0;
      let most = 0;
      drain(await serve(enclave, 80, site)).on('connection', (socket) => {
        open += 1;
        most = Math.max(most, open);
        socket.once('close', () => {
          open -= 1;
        });
      });
      return () => most;
    }

    it('makes no more connections at a time than maxSockets, and serves all requests', async () => {
      const most = await serveCounted();
      const agent = new VsockAgent({ cid: 16, port: 80, transport: parent, keepAlive: true, maxSockets: 3 });
      const answers = Array.from({ length: 20 }, async () => text(await get(agent, 'http://enclave.example/')));
      await Promise.all(answers);
      expect(most()).toBe(3);
      agent.destroy();
    });

    it('makes no more connections at a time than maxTotalSockets, whatever hosts are named, and serves all requests', async () => {
      const most = await serveCounted();
      const agent = new VsockAgent({ cid: 16, port: 80, transport: parent, maxTotalSockets: 3 });
      const ask = async (index: number) => text(await get(agent, `http://host${index % 5}.example/`));
      await Promise.all(Array.from({ length: 20 }, (_none, index) => ask(index)));
      expect(most()).toBeLessThanOrEqual(3);
      await expect.poll(() => Reflect.get(agent, 'totalSocketCount')).toBe(0);
      agent.destroy();
    });

    it('fails every waiting request when no connection comes about', async () => {
      const agent = new VsockAgent({ cid: 16, port: 81, transport: parent, maxSockets: 1 });
      const asked = Array.from({ length: 5 }, () => get(agent, 'http://enclave.example/'));
      const outcomes = await Promise.allSettled(asked);
      expect(outcomes.map(({ status }) => status)).toEqual(asked.map(() => 'rejected'));
    });

    it('never hands a kept connection to a request for another CID', async () => {
      const answering = (name: string) => http.createServer((_incoming, response) => response.end(name));
      drain(await serve(enclave, 80, answering('enclave')));
      drain(await serve(other, 80, answering('other')));
      const options = { port: 80, transport: parent, keepAlive: true };
      const toEnclave = new VsockAgent({ ...options, cid: 16 });
      const toOther = new VsockAgent({ ...options, cid: 17 });
      const names: string[] = [];
      for (const agent of [toEnclave, toOther, toEnclave, toOther]) {
        names.push(await text(await get(agent, 'http://same.example/')));
      }
      expect(names).toEqual(['enclave', 'other', 'enclave', 'other']);
      expect(toEnclave.getName()).not.toBe(toOther.getName());
      toEnclave.destroy();
      toOther.destroy();
    });

    it.each([0, 1.5, Number.POSITIVE_INFINITY, 2 ** 31])(
      'refuses %s ms to connect before any request',
      (connectTimeout) => {
        const destination = { cid: 16, port: 80, transport: parent, connectTimeout };
        for (const make of [() => new VsockAgent(destination), () => new VsockHttpsAgent(destination)]) {
          expect(make).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
        }
        expect(() => vsockConnector(destination)).toThrow(RangeError);
      },
    );

    it('fails a request with the error of the connection', async () => {
      const agent = new VsockAgent({ cid: 16, port: 81, transport: parent });
      await expect(get(agent, 'http://enclave.example/')).rejects.toMatchObject({
        message: 'connect ECONNREFUSED vm(16):81',
        code: 'ECONNREFUSED',
      });
    });

    it('fails a request that has set time-outs and more with the error of the connection', async () => {
      const destination = { port: 81, transport: parent, cid: 16 };
      const agents = [
        [new VsockAgent(destination), 'http://enclave.example/'],
        [new VsockAgent({ ...destination, timeout: 60_000, keepAlive: true }), 'http://enclave.example/'],
        [new VsockHttpsAgent(destination), 'https://enclave.example/'],
      ] as const;
      for (const [agent, url] of agents) {
        const client = url.startsWith('https:') ? https : http;
        const posted = client.request(url, { method: 'POST', agent, timeout: 30_000 });
        posted.setTimeout(20_000);
        posted.setNoDelay(true);
        posted.setSocketKeepAlive(true, 1000);
        posted.write('some');
        posted.end('thing');
        const [error] = await once(posted, 'error');
        expect(error).toMatchObject({ message: 'connect ECONNREFUSED vm(16):81' });
      }
    });

    it('stops connecting for a request that is aborted', async () => {
      drain(await serve(enclave, 80, site));
      const agent = new VsockAgent({ cid: 16, port: 80, transport: parent });
      const stop = new AbortController();
      const asked = get(agent, 'http://enclave.example/', { signal: stop.signal });
      stop.abort();
      await expect(asked).rejects.toMatchObject({ name: 'AbortError' });
    });

    it('refuses an agent to no address when it is made', () => {
      expect(() => new VsockAgent({ cid: 2 ** 32 - 1, port: 80, transport: parent })).toThrow(RangeError);
      expect(() => new VsockHttpsAgent({ cid: 16, port: 0, transport: parent })).toThrow(RangeError);
      expect(() => vsockConnector({ cid: -1, port: 80, transport: parent })).toThrow(RangeError);
    });
  });

  describe('https', () => {
    const site = () => https.createServer(identity, (_incoming, response) => response.end('secret'));

    it('is served and asked, the certificate checked against the host of the URL', async () => {
      drain(await serve(enclave, 443, site()));
      const agent = new VsockHttpsAgent({ cid: 16, port: 443, transport: parent, ca: identity.cert });
      expect(await text(await get(agent, 'https://enclave.example/'))).toBe('secret');
      await expect(get(agent, 'https://elsewhere.example/')).rejects.toMatchObject({
        code: 'ERR_TLS_CERT_ALTNAME_INVALID',
      });
    });

    it('refuses a certificate that nobody vouches for', async () => {
      drain(await serve(enclave, 443, site()));
      const agent = new VsockHttpsAgent({ cid: 16, port: 443, transport: parent });
      await expect(get(agent, 'https://enclave.example/')).rejects.toMatchObject({
        code: 'DEPTH_ZERO_SELF_SIGNED_CERT',
      });
    });

    it('leaves no connection behind when TLS refuses its options', async () => {
      const server = drain(await serve(enclave, 443, site()));
      const connected = once(server, 'connection');
      const agent = new VsockHttpsAgent({ cid: 16, port: 443, transport: parent, ca: identity.cert });
      const minVersion = 'none such' as tls.SecureVersion;
      const options: https.RequestOptions = { minVersion };
      await expect(get(agent, 'https://enclave.example/', options)).rejects.toMatchObject({
        code: 'ERR_TLS_INVALID_PROTOCOL_VERSION',
      });
      const [socket] = await connected;
      if (!socket.closed) await once(socket, 'close');
    });

    it('resumes a TLS session on the next connection', async () => {
      const server = site();
      const resumed: boolean[] = [];
      server.on('secureConnection', (socket: tls.TLSSocket) => resumed.push(socket.isSessionReused()));
      drain(await serve(enclave, 443, server));
      const agent = new VsockHttpsAgent({ cid: 16, port: 443, transport: parent, ca: identity.cert });
      for (let round = 0; round < 2; round += 1) await text(await get(agent, 'https://enclave.example/'));
      expect(resumed).toEqual([false, true]);
    });

    it('fails a request with the error of the connection', async () => {
      const agent = new VsockHttpsAgent({ cid: 16, port: 444, transport: parent });
      await expect(get(agent, 'https://enclave.example/')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    });
  });

  describe('undici and fetch', () => {
    it('fetches through a dispatcher', async () => {
      drain(
        await serve(
          enclave,
          80,
          http.createServer((incoming, response) => response.end(incoming.headers.host)),
        ),
      );
      const dispatcher = new Agent({ connect: vsockConnector({ cid: 16, port: 80, transport: parent }) });
      open.push(dispatcher);
      expect(await (await fetch('http://enclave.example/', { dispatcher })).text()).toBe('enclave.example');
    });

    it('does TLS, checked against the host of the URL', async () => {
      drain(
        await serve(
          enclave,
          443,
          https.createServer(identity, (_incoming, response) => response.end('secret')),
        ),
      );
      const connect = vsockConnector({ cid: 16, port: 443, transport: parent, ca: identity.cert });
      const dispatcher = new Agent({ connect });
      open.push(dispatcher);
      expect(await (await request('https://enclave.example/', { dispatcher })).body.text()).toBe('secret');
      await expect(request('https://elsewhere.example/', { dispatcher })).rejects.toMatchObject({
        code: 'ERR_TLS_CERT_ALTNAME_INVALID',
      });
      await expect(request('https://127.0.0.1/', { dispatcher })).rejects.toMatchObject({
        code: 'ERR_TLS_CERT_ALTNAME_INVALID',
      });
    });

    it('speaks HTTP/2 when allowed to', async () => {
      const server = http2.createSecureServer(identity, (incoming, response) => response.end(incoming.httpVersion));
      drain(await serve(enclave, 443, server));
      const connect = vsockConnector({ cid: 16, port: 443, transport: parent, ca: identity.cert, allowH2: true });
      const dispatcher = new Agent({ connect, allowH2: true });
      open.push(dispatcher);
      expect(await (await request('https://enclave.example/', { dispatcher })).body.text()).toBe('2.0');
    });

    it('fails a request with the error of the connection', async () => {
      const dispatcher = new Agent({ connect: vsockConnector({ cid: 16, port: 81, transport: parent }) });
      open.push(dispatcher);
      await expect(request('http://enclave.example/', { dispatcher })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    });

    it('leaves no connection behind when TLS refuses its options', async () => {
      const server = drain(await enclave.createServer({}, (socket) => socket.resume()).listen({ port: 443 }));
      const connected = once(server, 'connection');
      const minVersion = 'none such' as tls.SecureVersion;
      const dispatcher = new Agent({
        connect: vsockConnector({ cid: 16, port: 443, transport: parent, minVersion }),
      });
      open.push(dispatcher);
      await expect(request('https://enclave.example/', { dispatcher })).rejects.toMatchObject({
        code: 'ERR_TLS_INVALID_PROTOCOL_VERSION',
      });
      const [socket] = await connected;
      if (!socket.closed) await once(socket, 'close');
    });

    it('gives up a TLS handshake that does not end', async () => {
      drain(await enclave.createServer({}, (socket) => socket.resume()).listen({ port: 443 }));
      const connect = vsockConnector({ cid: 16, port: 443, transport: parent, connectTimeout: 100 });
      const dispatcher = new Agent({ connect });
      open.push(dispatcher);
      await expect(request('https://enclave.example/', { dispatcher })).rejects.toMatchObject({ code: 'ETIMEDOUT' });
    });
  });

  it('carries HTTP/2, many streams at a time', async () => {
    const server = http2.createServer((incoming, response) => {
      incoming.pipe(response);
    });
    drain(await serve(enclave, 80, server));
    const socket = await parent.connect({ cid: 16, port: 80 });
    const session = http2.connect('http://enclave.example', { createConnection: () => socket });
    const echo = async (body: Buffer): Promise<boolean> => {
      const stream = session.request({ ':method': 'POST', ':path': '/' });
      stream.end(body);
      return (await buffer(stream)).equals(body);
    };
    const bodies = Array.from({ length: 20 }, (_unused, index) => randomBytes(index * 10_000));
    expect(await Promise.all(bodies.map(echo))).not.toContain(false);
    session.close();
    await once(session, 'close');
  });

  it('carries TLS both ways, with ALPN and half-close', async () => {
    const server = tls.createServer({ ...identity, ALPNProtocols: ['mine'], allowHalfOpen: true }, (socket) => {
      // Not the stream's own iterator, which would destroy our side too.
      const chunks: Buffer[] = [];
      socket.on('data', (chunk: Buffer) => chunks.push(chunk));
      socket.on('end', () => socket.end(Buffer.concat(chunks).reverse()));
    });
    drain(
      await enclave
        .createServer({ allowHalfOpen: true }, (socket) => server.emit('connection', socket))
        .listen({ port: 443 }),
    );
    const socket = await parent.connect({ cid: 16, port: 443, allowHalfOpen: true });
    const options = { servername: 'enclave.example', ca: identity.cert, ALPNProtocols: ['mine'] };
    // An option that Node documents and its types lack.
    const halfOpen = Object.assign(options, { allowHalfOpen: true });
    const secure = tls.connect({ ...halfOpen, socket });
    const body = randomBytes(2 ** 20);
    secure.end(body);
    expect((await buffer(secure)).equals(Buffer.from(body).reverse())).toBe(true);
    expect(secure.alpnProtocol).toBe('mine');
  });

  it('carries ws: text, binary and close codes', async () => {
    const site = http.createServer();
    const sockets = new WebSocketServer({ server: site });
    sockets.on('connection', (peer) => peer.on('message', (message, binary) => peer.send(message, { binary })));
    drain(await serve(enclave, 80, site));
    const agent = new VsockAgent({ cid: 16, port: 80, transport: parent });
    const client = new WebSocket('ws://enclave.example/', { agent });
    await once(client, 'open');
    const body = randomBytes(300_000);
    client.send('text');
    client.send(body);
    const [first] = await once(client, 'message');
    const [second] = await once(client, 'message');
    expect(String(first)).toBe('text');
    expect(body.equals(second)).toBe(true);
    client.close(4000, 'done');
    expect((await once(client, 'close'))[0]).toBe(4000);
    sockets.close();
  });

  it('carries gRPC: unary calls and streams', async () => {
    const bytes = {
      requestSerialize: Buffer.from,
      requestDeserialize: Buffer.from,
      responseSerialize: Buffer.from,
      responseDeserialize: Buffer.from,
    };
    const service = {
      reverse: { path: '/test.Test/Reverse', requestStream: false, responseStream: false, ...bytes },
      count: { path: '/test.Test/Count', requestStream: false, responseStream: true, ...bytes },
    };
    const server = new grpc.Server();
    server.addService(service, {
      reverse: (call: grpc.ServerUnaryCall<Buffer, Buffer>, callback: grpc.sendUnaryData<Buffer>) =>
        callback(null, Buffer.from(call.request).reverse()),
      count: (call: grpc.ServerWritableStream<Buffer, Buffer>) => {
        for (let index = 0; index < 100; index += 1) call.write(Buffer.from([index]));
        call.end();
      },
    });
    const injector = server.createConnectionInjector(grpc.ServerCredentials.createInsecure());
    drain(await enclave.createServer({}, (socket) => injector.injectConnection(socket)).listen({ port: 50_051 }));

    // gRPC's client dials by itself: a Unix socket of ours takes it the rest of the way.
    const folder = await mkdtemp(join(tmpdir(), 'grpc-'));
    const relay = createNetServer((near) => {
      parent.connect({ cid: 16, port: 50_051 }).then((far) => near.pipe(far).pipe(near));
    }).listen(join(folder, 'enclave'));
    const client = new grpc.Client(`unix:${join(folder, 'enclave')}`, grpc.credentials.createInsecure());
    const body = randomBytes(100_000);
    const reversed = await new Promise<Buffer | undefined>((resolve, reject) => {
      client.makeUnaryRequest(service.reverse.path, Buffer.from, Buffer.from, body, (error, answer) =>
        error ? reject(error) : resolve(answer),
      );
    });
    expect(reversed?.equals(Buffer.from(body).reverse())).toBe(true);
    const counted: number[] = [];
    const stream = client.makeServerStreamRequest(service.count.path, Buffer.from, Buffer.from, Buffer.alloc(0));
    for await (const message of stream) counted.push(message[0]);
    expect(counted).toEqual(Array.from({ length: 100 }, (_unused, index) => index));
    client.close();
    server.forceShutdown();
    relay.close();
    await rm(folder, { recursive: true });
  });
});
