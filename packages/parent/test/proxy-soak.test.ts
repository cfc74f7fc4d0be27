import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo, Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unixTransport } from '@nitro-enclaves/vsock';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ProxyService } from '../src/index.ts';

/** `PROXY_SOAK_CONNECTIONS=50000` is the long version. */
const CONNECTIONS = Number(process.env['PROXY_SOAK_CONNECTIONS'] ?? 1050);
const IN_FLIGHT = 70;
const TIMEOUT_MS = 60_000 + CONNECTIONS * 30;

let folder: string;
const servers: Server[] = [];
/** Sockets that their servers do not read, so never see the end of. */
const stalled = new Set<Socket>();

async function listen(handler: (socket: Socket) => void): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    handler(socket);
  });
  servers.push(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return (server.address() as AddressInfo).port;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'soak-'));
});
afterAll(async () => {
  for (const server of servers) server.close();
  await rm(folder, { recursive: true, force: true });
});

const descriptors = (): number => (process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0);

/** Everything that goes wrong in the world, each on a port of its own; the last is right. */
async function targets(): Promise<{ names: string[]; ports: number[] }> {
  const refusing = await listen(() => undefined);
  servers.pop()?.close();
  return {
    names: ['refuses', 'resets', 'resets-late', 'stalls', 'nowhere', 'flaky-dns', 'echo'],
    ports: [
      refusing,
      await listen((socket) => socket.resetAndDestroy()),
      await listen((socket) => socket.once('data', () => socket.resetAndDestroy()).once('end', () => socket.destroy())),
      await listen((socket) => stalled.add(socket.pause())),
      1,
      await listen((socket) => socket.pipe(socket)),
      await listen((socket) => socket.pipe(socket)),
    ],
  };
}

describe('a soak of the proxy', () => {
  it(
    `${CONNECTIONS} connections with every fault leave nothing behind, and none disturbs another`,
    async () => {
      const { names, ports } = await targets();
      let asked = 0;
      const resolver = {
        resolve: async (host: string) => {
          asked += 1;
          if (host.startsWith('nowhere') || (host.startsWith('flaky') && asked % 2 === 0)) throw new Error('SERVFAIL');
          return { addresses: ['127.0.0.1'], ttl: 1 };
        },
      };
      const routes = names.map((name, index) => ({
        direction: 'egress' as const,
        name,
        vsockPort: 8000 + index,
        to: { kind: 'tcp' as const, host: `${name}.example`, port: ports[index] ?? 1 },
        allow: [],
        cids: undefined,
      }));
      const proxy = new ProxyService({
        transport: unixTransport({ folder, cid: 3 }),
        config: {
          routes,
          allowList: [{ address: '*.example', port: '*', allowPrivate: true }],
          limits: { idleTimeout: 4000, connectTimeout: 20_000 },
        },
        resolver,
      });
      await proxy.start();
      const enclave = unixTransport({ folder, cid: 16 });
      const wrong: string[] = [];
      /** One connection; its answer, or what became of it. */
      const connectOnce = async (index: number, text: string): Promise<string> => {
        const socket = await enclave.connect({ cid: 3, port: 8000 + index, timeout: 30_000 });
        let answer = '';
        socket.setEncoding('utf8').on('data', (piece) => {
          answer += piece;
        });
        // Every tenth enclave vanishes in the middle of it.
        if (text.endsWith('0') && index !== names.length - 1) socket.destroy();
        else socket.end(text);
        await new Promise((resolve) => socket.on('error', () => undefined).once('close', resolve));
        return answer;
      };
      const run = async (connections: number) => {
        let next = 0;
        const work = async () => {
          while (next < connections) {
            const number = next;
            next += 1;
            const index = number % names.length;
            const answer = await connectOnce(index, `connection ${number}`);
            if (names[index] === 'echo' && answer !== `connection ${number}`) wrong.push(`${number}: ${answer}`);
          }
        };
        await Promise.all(Array.from({ length: IN_FLIGHT }, work));
      };
      /** Descriptors once everything that is ending has ended. */
      const settled = async () => {
        for (const socket of stalled) socket.destroy();
        stalled.clear();
        await vi.waitFor(() => expect(proxy.openConnections).toBe(0), { timeout: 20_000 });
        await new Promise((resolve) => setTimeout(resolve, 1000));
        return descriptors();
      };
      await run(Math.ceil(CONNECTIONS / 4));
      const before = await settled();
      await run(CONNECTIONS);
      expect(wrong).toEqual([]);
      expect((await settled()) - before).toBeLessThanOrEqual(5);
      await proxy.drain({ timeout: 10_000 });
    },
    TIMEOUT_MS,
  );
});
