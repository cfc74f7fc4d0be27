// What listens on either side for the traffic tests: the parent and the enclave run the same services.
import { once } from 'node:events';
import type { Server as HttpServer } from 'node:http';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Transport, VsockServer, VsockSocket } from '@nitro-enclaves/vsock';
import { readLine } from './header-line.ts';
import { Checksum, pattern, summed } from './pattern.ts';

/** Where each service listens, counted from the first port of its side. */
export const SERVICE = { ECHO: 1, BULK: 2, HTTP: 3, HTTPS: 4, VANISH: 5, FLEETING: 6 } as const;

/** First port of each side. */
export const FIRST_PORT = { PARENT: 5000, ENCLAVE: 6000 } as const;

/** Key and certificate of the TLS services, PEM. */
export interface TlsIdentity {
  key: string;
  certificate: string;
}

/** The name that the certificate of the TLS services is for. */
export const TLS_NAME = 'services.test';

/** After how many connections the fleeting listener closes. */
export const FLEETING_CONNECTIONS = 50;

type Service = (socket: VsockSocket) => Promise<void> | void;

const echo: Service = (socket) => pipeline(socket, socket);

/** One line says which way and how much: `{"give": bytes}` or `{"take": bytes}`; the giver's checksum ends it. */
const bulk: Service = async (socket) => {
  const { give }: { give?: number } = JSON.parse(await readLine(socket));
  const checksum = new Checksum();
  if (give !== undefined) {
    const whole = async function* (): AsyncGenerator<Buffer> {
      yield* summed(pattern(give), checksum);
      yield checksum.digest();
    };
    await pipeline(Readable.from(whole(), { objectMode: false }), socket);
    return;
  }
  for await (const block of socket.iterator({ destroyOnReturn: false })) checksum.update(block);
  socket.end(checksum.digest());
};

/** Goes away in the middle of sending or of receiving. */
const vanish: Service = async (socket) => {
  const while_ = await readLine(socket);
  const enough = 2 * 2 ** 20;
  if (while_ === 'sending') {
    for (const block of pattern(enough)) if (!socket.write(block)) await once(socket, 'drain');
  } else {
    let taken = 0;
    for await (const block of socket.iterator({ destroyOnReturn: false })) {
      taken += block.length;
      if (taken > enough) break;
    }
  }
  socket.destroy();
};

function serveHttp(server: HttpServer): Service {
  return (socket) => {
    server.emit('connection', socket);
  };
}

/** Answers with the checksum of what was sent. */
async function answer(request: AsyncIterable<Buffer>): Promise<string> {
  const checksum = new Checksum();
  for await (const block of request) checksum.update(block);
  return checksum.digest().toString('hex');
}

function httpService(): HttpServer {
  return createHttpServer((request, response) => {
    answer(request).then(
      (checksum) => response.end(checksum),
      () => response.destroy(),
    );
  });
}

function httpsService({ key, certificate }: TlsIdentity): HttpServer {
  return createHttpsServer({ key, cert: certificate }, (request, response) => {
    answer(request).then(
      (checksum) => response.end(checksum),
      () => response.destroy(),
    );
  });
}

async function listen(transport: Transport, port: number, service: Service): Promise<VsockServer> {
  const server = transport.createServer({ allowHalfOpen: true }, (socket) => {
    // A peer that goes away is the subject of some tests, and no reason to end for any service.
    socket.on('error', () => {});
    Promise.resolve(service(socket)).catch(() => socket.destroy());
  });
  return server.listen({ port });
}

/** Serves a number of connections, closes under whatever load there is, and opens again when all are gone. */
async function listenFleetingly(transport: Transport, port: number): Promise<VsockServer> {
  let served = 0;
  const server = await listen(transport, port, (socket) => {
    served += 1;
    socket.end('x');
    socket.resume();
    if (served % FLEETING_CONNECTIONS !== 0) return;
    server.close(() => server.listen({ port }));
  });
  return server;
}

/** Starts the services of one side; the returned function ends them. */
export async function startServices(
  transport: Transport,
  firstPort: number,
  tls: TlsIdentity,
): Promise<() => Promise<void>> {
  const services: [number, Service][] = [
    [SERVICE.ECHO, echo],
    [SERVICE.BULK, bulk],
    [SERVICE.HTTP, serveHttp(httpService())],
    [SERVICE.HTTPS, serveHttp(httpsService(tls))],
    [SERVICE.VANISH, vanish],
  ];
  const servers = await Promise.all(
    services.map(([offset, service]) => listen(transport, firstPort + offset, service)),
  );
  servers.push(await listenFleetingly(transport, firstPort + SERVICE.FLEETING));
  return async () => {
    await Promise.all(servers.map((server) => server.drain({ timeout: 0 })));
  };
}
