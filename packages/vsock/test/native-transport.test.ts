import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { nativeTransport } from '../src/native-transport.ts';
import { unixFamily } from './unix-family.ts';

it('swaps', async () => {
  const scope = randomUUID();
  const parent = nativeTransport(unixFamily(3, scope));
  const enclave = nativeTransport(unixFamily(16, scope));
  await using server = await enclave.createServer({}, (s) => s.pipe(s)).listen({ port: 5000 });
  const c = await parent.connect({ cid: 16, port: 5000 });
  const blob = Buffer.alloc(3_000_000, 'abc');
  c.end(blob);
  expect(Buffer.concat(await c.toArray()).equals(blob)).toBe(true);
  await expect(parent.connect({ cid: 16, port: 5001 })).rejects.toThrow('connect ECONNREFUSED vm(16):5001');
  expect(server.address()).toEqual({ cid: 16, port: 5000 });
});
