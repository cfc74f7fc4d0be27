import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Transport, VsockServer, VsockSocket } from '@nitro-enclaves/vsock';
import { VMADDR_CID_LOCAL } from '@nitro-enclaves/vsock';
import type { RelayOutcome } from '@nitro-enclaves/vsock/relay';
import { relaySockets } from '@nitro-enclaves/vsock/relay';
import type { GuestTest } from './guest-test.ts';

const ECHO_PORT = 6101;
const RELAY_PORT = 6102;
const BULK_BYTES = 4 * 1024 * 1024;

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function connectLocal(transport: Transport, port: number): Promise<VsockSocket> {
  return transport.connect({ cid: VMADDR_CID_LOCAL, port, allowHalfOpen: true });
}

/** A server that relays each connection to another one, by the addon or not at all; `outcome` is that of the first. */
async function startRelay(transport: Transport): Promise<{ server: VsockServer; outcome: Promise<RelayOutcome> }> {
  let resolve = (_: RelayOutcome): void => {};
  let reject = (_: unknown): void => {};
  const outcome = new Promise<RelayOutcome>((...settle) => {
    [resolve, reject] = settle;
  });
  const serve = async (from: VsockSocket): Promise<RelayOutcome> => {
    const relayed = relaySockets(from, await connectLocal(transport, ECHO_PORT), 0);
    if (relayed === undefined)
      throw new Error('expected two vsock sockets to be relayed by the addon, found they are not');
    return relayed;
  };
  const server = transport.createServer({ allowHalfOpen: true }, (from) => serve(from).then(resolve, reject));
  await server.listen({ port: RELAY_PORT });
  return { server, outcome };
}

async function receive(socket: Socket): Promise<Buffer> {
  const pieces: Buffer[] = [];
  socket.on('data', (piece: Buffer) => pieces.push(piece));
  await once(socket, 'end');
  return Buffer.concat(pieces);
}

interface Scene {
  readonly client: VsockSocket;
  readonly outcome: Promise<RelayOutcome>;
}

/** A client, a relay and an echo, all of this machine. */
async function onStage(transport: Transport, act: (scene: Scene) => Promise<void>): Promise<undefined> {
  const echo = transport.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined).pipe(socket);
  });
  await echo.listen({ port: ECHO_PORT });
  const { server, outcome } = await startRelay(transport);
  const client = await connectLocal(transport, RELAY_PORT);
  client.on('error', () => undefined);
  try {
    await act({ client, outcome });
  } finally {
    client.destroy();
    await server.drain({ timeout: 0 });
    await echo.drain({ timeout: 0 });
  }
  return undefined;
}

/** The relay of `parent` on AF_VSOCK itself: what it does is known from other families, that vsock does the same is not. */
export const relayTests: readonly GuestTest[] = [
  {
    name: 'vsock relay: bytes of a client that reads late come back unchanged, and each end is passed on',
    needs: 'loopback',
    timeout: 150_000,
    run: ({ transport }) =>
      onStage(transport, async ({ client, outcome }) => {
        const bytes = randomBytes(BULK_BYTES);
        client.end(bytes);
        await sleep(500);
        assert.equal(sha256(await receive(client)), sha256(bytes));
        assert.deepEqual(await outcome, { end: 'closed', bytesForward: BULK_BYTES, bytesBack: BULK_BYTES });
      }),
  },
  {
    name: 'vsock relay: a client that vanishes while it is written to breaks the other side off',
    needs: 'loopback',
    timeout: 150_000,
    run: ({ transport }) =>
      onStage(transport, async ({ client, outcome }) => {
        client.write(randomBytes(BULK_BYTES));
        await sleep(500);
        client.destroy();
        assert.equal((await outcome).end, 'reset');
      }),
  },
];
