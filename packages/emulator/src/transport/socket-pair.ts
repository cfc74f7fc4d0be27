import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';

/** Two sockets that are each other's other end. */
export interface SocketPair {
  readonly near: Socket;
  readonly far: Socket;
}

/** Makes a pair through a Unix socket in `folder`, which is gone before this returns. */
export async function createSocketPair(
  folder: string,
  { allowHalfOpen }: { allowHalfOpen: boolean },
): Promise<SocketPair> {
  const path = join(folder, `pair-${randomUUID().slice(0, 8)}`);
  const server = createServer({ allowHalfOpen: true });
  server.listen({ path });
  await once(server, 'listening');
  try {
    const near = connect({ path, allowHalfOpen });
    const [[far]] = await Promise.all([once(server, 'connection'), once(near, 'connect')]);
    return { near, far };
  } finally {
    server.close();
    await rm(path, { force: true });
  }
}
