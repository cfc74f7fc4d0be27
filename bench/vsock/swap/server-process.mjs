// The other end: a sink, an echo and a TLS sink, each on plain `net` and on swapped sockets.
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { selfSigned } from './self-signed.mjs';
import { swappedTransport } from './swapped-transport.mjs';

const identity = await selfSigned();
const folder = mkdtempSync(join(tmpdir(), 'bench-vsock-'));
const path = join(folder, 'service');
const scope = randomUUID();
const transport = swappedTransport(scope);

function sink(socket) {
  socket.on('error', () => {});
  socket.on('end', () => socket.end('x'));
  socket.resume();
}
const tls = createTlsServer({ ...identity, allowHalfOpen: true }, sink);
const SERVICES = {
  1: sink,
  2: (socket) => socket.on('error', () => {}).on('data', (chunk) => socket.write(chunk)),
  3: (socket) => tls.emit('connection', socket),
};

for (const [service, handler] of Object.entries(SERVICES)) {
  const options = { allowHalfOpen: true };
  await new Promise((resolve) => {
    createServer(options, handler).listen(`${path}.${service}`, resolve);
  });
  await transport.createServer(options, handler).listen({ port: Number(service) });
}
process.send({ scope, path, certificate: identity.cert });
process.once('disconnect', () => {
  rmSync(folder, { recursive: true });
  process.exit();
});
