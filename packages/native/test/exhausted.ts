import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { closeSocket, connectSocket, openSocket } from '@nitro-enclaves/native';
import { AF_UNIX, unixName } from './names.ts';
import { connectTo } from './sockets.ts';

/** Takes every descriptor that the process may have. */
function takeAll(): number[] {
  const taken: number[] = [];
  try {
    for (;;) taken.push(openSync('/dev/null', 'r'));
  } catch (error) {
    assert.equal(error instanceof Error && Reflect.get(error, 'code'), 'EMFILE');
    return taken;
  }
}

/** Connects for the first time when there is no descriptor left for the epoll thread, and once more when there is. */
export async function connectExhausted(): Promise<void> {
  const descriptor = openSocket(AF_UNIX);
  const taken = takeAll();
  const outcome = { connected: () => assert.fail('connected'), failed: (error: Error) => assert.fail(error) };
  assert.throws(() => connectSocket(descriptor, unixName(), { timeout: 1000, ...outcome }), { code: 'EMFILE' });
  assert.throws(() => closeSocket(descriptor), { code: 'EBADF' });
  for (const one of taken) closeSync(one);
  await assert.rejects(connectTo(unixName()), { code: 'ECONNREFUSED' });
}
