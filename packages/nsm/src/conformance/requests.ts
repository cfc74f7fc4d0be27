import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { NSM_REQUEST_MAX_SIZE } from '../device.ts';
import { Nsm } from '../nsm.ts';
import { payloadOf } from './document.ts';
import { assertBytes } from './expectations.ts';
import type { NsmConformanceTest } from './suite.ts';

export const requestTests: readonly NsmConformanceTest[] = [
  {
    name: 'GetRandom gives 1 to 256 bytes, never the same twice',
    async run(device) {
      const nsm = new Nsm(device);
      const seen = new Set<string>();
      for (let count = 0; count < 8; count += 1) {
        const answer = await nsm.request({ name: 'GetRandom' });
        assert.ok(answer instanceof Map);
        const random = answer.get('random');
        assert.ok(random instanceof Uint8Array && random.length >= 1 && random.length <= 256);
        seen.add(Buffer.from(random).toString('hex'));
      }
      assert.equal(seen.size, 8);
    },
  },
  {
    name: 'random bytes come in any length',
    async run(device) {
      const nsm = new Nsm(device);
      for (const length of [0, 1, 255, 256, 257, 5000]) {
        const random = await nsm.getRandom(length);
        assert.equal(random.length, length);
        if (length >= 256) assert.ok(new Set(random).size > 64, 'expected bytes of many values');
      }
    },
  },
  {
    name: 'bytes that are no CBOR are answered with an error, and the next request as usual',
    async run(device) {
      const nsm = new Nsm(device);
      for (const bytes of [[0xff], [0xa1], [0x00], [0xa1, 0x6b]]) {
        const response = await device.request(Uint8Array.from(bytes));
        assert.equal(Buffer.from(response).subarray(0, 7).toString('latin1'), '\xa1eError', `answer to ${bytes}`);
        assert.equal((await nsm.describeNsm()).maxPcrs, 32);
      }
    },
  },
  {
    name: 'a request longer than the driver takes is rejected, and the next one answered as usual',
    async run(device) {
      await assert.rejects(device.request(new Uint8Array(NSM_REQUEST_MAX_SIZE + 1)));
      assert.equal((await new Nsm(device).describeNsm()).maxPcrs, 32);
    },
  },
  {
    name: 'requests made all at once get each their own answer',
    async run(device) {
      const nsm = new Nsm(device);
      const nonces = Array.from({ length: 24 }, () => new Uint8Array(randomBytes(32)));
      const documents = await Promise.all(nonces.map((nonce) => nsm.attestation({ nonce })));
      for (const [index, document] of documents.entries()) {
        const nonce = payloadOf(document).get('nonce');
        assertBytes(
          nonce instanceof Uint8Array ? nonce : undefined,
          nonces[index] ?? new Uint8Array(),
          `nonce ${index}`,
        );
      }
    },
  },
  {
    name: 'a signal that has fired rejects the request, and the next one is answered as usual',
    async run(device) {
      const nsm = new Nsm(device);
      const bytes = Uint8Array.from([0x69, ...new TextEncoder().encode('GetRandom')]);
      await assert.rejects(device.request(bytes, { signal: AbortSignal.abort() }));
      const stop = new AbortController();
      const pending = device.request(bytes, { signal: stop.signal });
      stop.abort();
      // It may have been answered before the signal was seen; what counts is that it ends.
      await pending.catch(() => undefined);
      assert.equal((await nsm.getRandom(32)).length, 32);
    },
  },
];

// After this the device is of no more use.
export const closeTests: readonly NsmConformanceTest[] = [
  {
    name: 'a closed device rejects requests, and may be closed again',
    async run(device) {
      await device.close();
      await device.close();
      await assert.rejects(device.request(Uint8Array.from([0x69, ...new TextEncoder().encode('GetRandom')])));
    },
  },
];
