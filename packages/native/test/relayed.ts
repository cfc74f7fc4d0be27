import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { closeSocket } from '@nitro-enclaves/native';
import type { DescriptorRelay, RelayDescriptorsOptions, RelayOutcome } from '@nitro-enclaves/native/relay';
import { relayDescriptors } from '@nitro-enclaves/native/relay';
import { until } from './check.ts';
import { AF_INET, pathName, portOf } from './names.ts';
import type { Listening } from './sockets.ts';
import { closeListening, listenOn } from './sockets.ts';

/** Two sockets of Node's, and the relay between them. */
export interface Relayed {
  readonly ends: { readonly first: Socket; readonly second: Socket };
  readonly descriptors: readonly [number, number];
  readonly relay: DescriptorRelay;
  /** How it ended; the relay's ends are closed then, which is when the others hear of it. */
  outcome(): Promise<RelayOutcome>;
  /** The same, and nothing is left open. */
  finish(): Promise<RelayOutcome>;
}

function addressOf(name: Uint8Array, family: number): { host: string; port: number } | { path: string } {
  if (family === AF_INET) return { host: '127.0.0.1', port: portOf(name) };
  return { path: Buffer.from(name.subarray(2)).toString('latin1').replace('\0', '') };
}

async function connectEnd(listening: Listening, family: number): Promise<{ end: Socket; descriptor: number }> {
  const end = connect({ ...addressOf(listening.name, family), allowHalfOpen: true });
  await once(end, 'connect');
  await until(() => listening.accepted.length > 0);
  return { end, descriptor: listening.accepted.shift()?.descriptor ?? -1 };
}

/** Two connections, of which the relay has the accepted ends. */
export async function openRelayed(family: number, options: Partial<RelayDescriptorsOptions> = {}): Promise<Relayed> {
  const folder = await mkdtemp(join(tmpdir(), 'relayed-'));
  const listening = listenOn(family, family === AF_INET ? {} : { name: pathName(join(folder, 'socket')) });
  const first = await connectEnd(listening, family);
  const second = await connectEnd(listening, family);
  await closeListening(listening);
  await rm(folder, { recursive: true });
  const descriptors = [first.descriptor, second.descriptor] as const;
  const relay = relayDescriptors(...descriptors, { idleTimeout: 0, ...options });
  const outcome = relay.outcome.then((ended) => {
    for (const descriptor of descriptors) closeSocket(descriptor);
    return ended;
  });
  return {
    ends: { first: first.end, second: second.end },
    descriptors,
    relay,
    outcome: () => outcome,
    finish: async () => {
      const ended = await outcome;
      for (const { end } of [first, second]) end.on('error', () => {}).destroy();
      return ended;
    },
  };
}

/** All that comes until the end, which leaves the socket writable. */
export async function receive(socket: Socket): Promise<Buffer> {
  const pieces: Buffer[] = [];
  socket.on('data', (piece: Buffer) => pieces.push(piece));
  await once(socket, 'end');
  return Buffer.concat(pieces);
}
