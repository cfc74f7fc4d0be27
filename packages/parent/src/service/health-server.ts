import type { Server } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';

/** What the health check tells of. */
export interface HealthSubject {
  readonly isServing: boolean;
  readonly metrics: Registry;
}

/** `GET /healthz` (200, or 503 while starting and draining) and `GET /metrics` (Prometheus text format). */
export class HealthServer {
  readonly #server: Server;

  constructor(subject: HealthSubject) {
    this.#server = createServer({ requestTimeout: 10_000 }, async ({ method, url }, response) => {
      if (method === 'GET' && url === '/metrics') {
        response.writeHead(200, { 'content-type': subject.metrics.contentType }).end(await subject.metrics.metrics());
      } else if (method === 'GET' && url === '/healthz') {
        response.writeHead(subject.isServing ? 200 : 503, { 'content-type': 'text/plain' });
        response.end(subject.isServing ? 'serving\n' : 'not serving\n');
      } else {
        response.writeHead(404).end();
      }
    });
  }

  /** Listens; gives the port, which may have been 0. */
  async listen({ host, port }: { host: string; port: number }): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, resolve);
    });
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
