import assert from 'node:assert/strict';
import { Nsm } from '../nsm.ts';
import { payloadOf, pcrsOf } from './document.ts';
import { assertBytes, ZERO_PCR } from './expectations.ts';
import type { NsmConformanceTest } from './suite.ts';

/** A module's clock and ours may differ, but not by a day. */
const CLOCK_TOLERANCE = 24 * 60 * 60 * 1000;

function pattern(first: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (first + index) % 256);
}

export const attestationTests: readonly NsmConformanceTest[] = [
  {
    name: 'a document of nothing holds the module, the digest, the time, and null for what was not given',
    async run(device) {
      const nsm = new Nsm(device);
      const payload = payloadOf(await nsm.attestation());
      const { moduleId, digest } = await nsm.describeNsm();
      assert.equal(payload.get('module_id'), moduleId);
      assert.equal(payload.get('digest'), digest);
      const timestamp = payload.get('timestamp');
      assert.ok(
        typeof timestamp === 'number' && Math.abs(timestamp - Date.now()) < CLOCK_TOLERANCE,
        `timestamp ${timestamp}`,
      );
      assert.ok(payload.get('certificate') instanceof Uint8Array);
      const bundle = payload.get('cabundle');
      assert.ok(Array.isArray(bundle) && bundle.length > 0 && bundle.every((entry) => entry instanceof Uint8Array));
      for (const name of ['public_key', 'user_data', 'nonce']) assert.equal(payload.get(name), null, name);
    },
  },
  {
    name: 'a document lists the locked PCRs and no others, with the values that DescribePCR gives',
    async run(device) {
      const nsm = new Nsm(device);
      const { lockedPcrs } = await nsm.describeNsm();
      const pcrs = pcrsOf(payloadOf(await nsm.attestation()));
      assert.deepEqual(
        [...pcrs.keys()].sort((left, right) => left - right),
        lockedPcrs,
      );
      for (const [index, value] of pcrs) assertBytes(value, (await nsm.describePcr(index)).value, `PCR${index}`);
    },
  },
  {
    name: 'a PCR that was extended joins the document only when it is locked',
    async run(device) {
      const nsm = new Nsm(device);
      const value = await nsm.extendPcr(21, pattern(1, 48));
      assert.notDeepEqual(value, ZERO_PCR);
      assert.equal(pcrsOf(payloadOf(await nsm.attestation())).has(21), false);
      await nsm.lockPcr(21);
      assertBytes(pcrsOf(payloadOf(await nsm.attestation())).get(21), value, 'PCR21 of the document');
    },
  },
  {
    name: 'public key, user data and nonce come back byte for byte, each in its own place',
    async run(device) {
      const publicKey = pattern(10, 33);
      const userData = pattern(80, 1);
      const nonce = pattern(150, 512);
      const payload = payloadOf(await new Nsm(device).attestation({ publicKey, userData, nonce }));
      assert.deepEqual(
        { publicKey: payload.get('public_key'), userData: payload.get('user_data'), nonce: payload.get('nonce') },
        { publicKey, userData, nonce },
      );
    },
  },
  {
    name: 'public key, user data and nonce may be of 1024 bytes, all three at once',
    async run(device) {
      const publicKey = pattern(3, 1024);
      const userData = pattern(5, 1024);
      const nonce = pattern(7, 1024);
      const payload = payloadOf(await new Nsm(device).attestation({ publicKey, userData, nonce }));
      for (const [name, sent] of Object.entries({ public_key: publicKey, user_data: userData, nonce })) {
        const found = payload.get(name);
        assertBytes(found instanceof Uint8Array ? found : undefined, sent, name);
      }
    },
  },
];
