import type { Server } from 'node:http';
import { createServer } from 'node:http';

/** The application behind TLS: plain HTTP on a Unix socket of the enclave. Any other, in any language, can take its place. */
export async function serveApplication(path: string): Promise<Server> {
  const server = createServer((request, response) => {
    request.resume();
    response.setHeader('content-type', 'text/plain; charset=utf-8');
    response.end(`${request.method} ${request.url}: hello from behind TLS that ends in the enclave\n`);
  });
  server.listen(path);
  await new Promise<void>((resolve, reject) => server.once('listening', resolve).once('error', reject));
  return server;
}
