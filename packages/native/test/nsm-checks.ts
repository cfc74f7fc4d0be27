import assert from 'node:assert/strict';
import { openNsmDevice } from '@nitro-enclaves/native';
import type { Check } from './check.ts';
import { descriptorCount, NO_NSM, until } from './check.ts';

/** How requests ended, one after the other: the codes of their errors. */
async function codes(requests: readonly Promise<Uint8Array>[]): Promise<unknown[]> {
  const outcomes = await Promise.allSettled(requests);
  return outcomes.map((outcome) => (outcome.status === 'rejected' ? outcome.reason.code : 'answered'));
}

/** The NSM device where there is none: what a real one answers is tested inside an enclave. */
export const nsmChecks: readonly Check[] = [
  {
    name: 'an NSM that is not there is ENOENT, with its path',
    run: async () => {
      assert.throws(() => openNsmDevice('/nonexistent/nsm'), {
        code: 'ENOENT',
        syscall: 'open',
        path: '/nonexistent/nsm',
        message: 'open ENOENT /nonexistent/nsm',
      });
    },
  },
  {
    name: 'what is no NSM says so, request after request',
    run: async () => {
      const device = openNsmDevice('/dev/null');
      const requests = Array.from({ length: 20 }, () => device.request(Uint8Array.of(1)));
      assert.deepEqual(await codes(requests), Array(20).fill(NO_NSM));
      await assert.rejects(device.request(Uint8Array.of(1)), {
        code: NO_NSM,
        syscall: 'ioctl',
        message: `ioctl ${NO_NSM}`,
      });
      await device.close();
    },
  },
  {
    name: 'a request that is too long is EMSGSIZE before the driver sees it',
    run: async () => {
      const device = openNsmDevice('/dev/null');
      await assert.rejects(device.request(new Uint8Array(4097)), { code: 'EMSGSIZE' });
      await assert.rejects(device.request(new Uint8Array(4096)), { code: NO_NSM });
      await device.close();
    },
  },
  {
    name: 'a request that is aborted rejects at once, one that waits is never sent',
    run: async () => {
      const device = openNsmDevice('/dev/null');
      await assert.rejects(device.request(Uint8Array.of(1), { signal: AbortSignal.abort() }), { name: 'AbortError' });
      const stop = new AbortController();
      const requests = Array.from({ length: 3 }, () => device.request(Uint8Array.of(1), { signal: stop.signal }));
      stop.abort();
      assert.deepEqual(await codes(requests), Array(3).fill('ABORT_ERR'));
      await assert.rejects(device.request(Uint8Array.of(1)), { code: NO_NSM });
      await device.close();
    },
  },
  {
    name: 'closing waits for the request under way, and refuses the others with EBADF',
    run: async () => {
      const device = openNsmDevice('/dev/null');
      const outcomes = codes([device.request(Uint8Array.of(1)), device.request(Uint8Array.of(1))]);
      const closing = device.close();
      assert.deepEqual(await outcomes, [NO_NSM, 'EBADF']);
      await closing;
      await device.close();
      await assert.rejects(device.request(Uint8Array.of(1)), { code: 'EBADF' });
    },
  },
  {
    name: 'closing does not wait for a request that nobody waits for',
    run: async () => {
      const before = descriptorCount();
      for (const isClosedFirst of [false, true]) {
        const device = openNsmDevice('/dev/null');
        const stop = new AbortController();
        const outcome = codes([device.request(Uint8Array.of(1), { signal: stop.signal })]);
        let isClosed = false;
        if (isClosedFirst) device.close();
        stop.abort();
        const closing = device.close().then(() => {
          isClosed = true;
        });
        // No answer can come before the next turn of the event loop.
        for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
        assert.equal(isClosed, true);
        assert.deepEqual(await outcome, ['ABORT_ERR']);
        await closing;
        await assert.rejects(device.request(Uint8Array.of(1)), { code: 'EBADF' });
      }
      await until(() => descriptorCount() <= before);
    },
  },
  {
    name: 'an aborted request keeps those behind it',
    run: async () => {
      const device = openNsmDevice('/dev/null');
      const stop = new AbortController();
      const requests = [device.request(Uint8Array.of(1), { signal: stop.signal }), device.request(Uint8Array.of(1))];
      stop.abort();
      requests.push(device.request(Uint8Array.of(1)));
      assert.deepEqual(await codes(requests), ['ABORT_ERR', NO_NSM, NO_NSM]);
      await device.close();
    },
  },
  {
    name: 'devices leave no descriptor behind',
    run: async () => {
      const use = async (): Promise<void> => {
        const device = openNsmDevice('/dev/null');
        await assert.rejects(device.request(Uint8Array.of(1)), { code: NO_NSM });
        await device.close();
      };
      await use();
      const before = descriptorCount();
      for (let round = 0; round < 200; round += 1) await use();
      await until(() => descriptorCount() <= before);
    },
  },
];
