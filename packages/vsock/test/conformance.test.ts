import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unixTransport } from '@nitro-enclaves/vsock';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { transportConformance } from '../src/conformance/index.ts';
import { nativeTransport } from '../src/native-transport.ts';
import { unixFamily } from './unix-family.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vsock-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('a transport over a folder of Unix sockets', () => {
  it.each(transportConformance.map(({ name, run }) => [name, run] as const))('%s', async (_, run) => {
    const client = unixTransport({ folder, cid: 3 });
    await run({ client, server: unixTransport({ folder, cid: 16 }), serverCid: 16, clientCid: 3 });
  });
});

describe.runIf(process.platform === 'linux')('a transport over kernel sockets, by the descriptor swap', () => {
  it.each(transportConformance.map(({ name, run }) => [name, run] as const))('%s', async (_, run) => {
    const scope = randomUUID();
    const client = nativeTransport(unixFamily(3, scope));
    await run({ client, server: nativeTransport(unixFamily(16, scope)), serverCid: 16, clientCid: 3 });
  });
});
