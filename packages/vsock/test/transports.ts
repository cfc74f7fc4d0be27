import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Transport } from '@nitro-enclaves/vsock';
import { unixTransport } from '@nitro-enclaves/vsock';
import { onTestFinished } from 'vitest';
import { nativeTransport } from '../src/native-transport.ts';
import { unixFamily } from './unix-family.ts';

/** The parent (CID 3) and two enclaves (16 and 17) that reach one another. */
export interface Machines {
  readonly parent: Transport;
  readonly enclave: Transport;
  readonly other: Transport;
}

/** Every kind of transport that a machine without AF_VSOCK can run. */
export const TRANSPORTS: readonly (readonly [string, () => Promise<Machines>])[] = [
  [
    'over a folder of Unix sockets',
    async () => {
      const folder = await mkdtemp(join(tmpdir(), 'vsock-'));
      onTestFinished(() => rm(folder, { recursive: true, force: true }));
      return {
        parent: unixTransport({ folder, cid: 3 }),
        enclave: unixTransport({ folder, cid: 16 }),
        other: unixTransport({ folder, cid: 17 }),
      };
    },
  ],
  ...(process.platform === 'linux'
    ? [
        [
          'over kernel sockets, by the descriptor swap',
          async () => {
            const scope = randomUUID();
            return {
              parent: nativeTransport(unixFamily(3, scope)),
              enclave: nativeTransport(unixFamily(16, scope)),
              other: nativeTransport(unixFamily(17, scope)),
            };
          },
        ] as const,
      ]
    : []),
];
