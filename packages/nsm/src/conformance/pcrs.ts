import assert from 'node:assert/strict';
import { decodeCbor } from '@nitro-enclaves/core';
import { Nsm } from '../nsm.ts';
import { encodeRequest, lockPcrRequest, lockPcrsRequest } from '../request.ts';
import { assertBytes, assertModuleRefuses, extended, PLATFORM_PCRS, ZERO_PCR } from './expectations.ts';
import type { NsmConformanceTest } from './suite.ts';

const MEASUREMENT = new TextEncoder().encode('measured by the conformance suite');
const REFUSED_LOCKED = ['NSM_READ_ONLY_INDEX'] as const;

// Each test has a PCR of its own, since what is locked stays locked as long as the enclave lives.
export const pcrTests: readonly NsmConformanceTest[] = [
  {
    name: 'a PCR of the application starts as 48 zero bytes, unlocked',
    async run(device) {
      const { locked, value } = await new Nsm(device).describePcr(16);
      assert.equal(locked, false);
      assertBytes(value, ZERO_PCR, 'PCR16');
    },
  },
  {
    name: 'ExtendPCR makes it the SHA-384 of its value and the data, time after time, and leaves its neighbours alone',
    async run(device) {
      const nsm = new Nsm(device);
      const neighbour = await nsm.describePcr(18);
      const once = await nsm.extendPcr(17, MEASUREMENT);
      assertBytes(once, extended(ZERO_PCR, MEASUREMENT), 'PCR17 extended once');
      const large = new Uint8Array(4000).fill(0x5a);
      const twice = await nsm.extendPcr(17, large);
      assertBytes(twice, extended(once, large), 'PCR17 extended twice');
      const described = await nsm.describePcr(17);
      assertBytes(described.value, twice, 'PCR17 described');
      assert.equal(described.locked, false);
      assert.deepEqual(await nsm.describePcr(18), neighbour);
    },
  },
  {
    name: 'PCR0 to PCR15 can be neither extended nor locked',
    async run(device) {
      const nsm = new Nsm(device);
      for (const index of [0, PLATFORM_PCRS - 1]) {
        const before = await nsm.describePcr(index);
        await assertModuleRefuses(nsm.extendPcr(index, MEASUREMENT), REFUSED_LOCKED);
        await assertModuleRefuses(nsm.lockPcr(index), REFUSED_LOCKED);
        assert.deepEqual(await nsm.describePcr(index), before);
      }
    },
  },
  {
    name: 'LockPCR is answered with the bare text string LockPCR',
    async run(device) {
      const response = decodeCbor(await device.request(encodeRequest(lockPcrRequest(19))));
      assert.equal(response, 'LockPCR');
    },
  },
  {
    name: 'a locked PCR keeps its value, says that it is locked, and can be neither extended nor locked again',
    async run(device) {
      const nsm = new Nsm(device);
      const value = await nsm.extendPcr(20, MEASUREMENT);
      await nsm.lockPcr(20);
      await assertModuleRefuses(nsm.extendPcr(20, MEASUREMENT), REFUSED_LOCKED);
      await assertModuleRefuses(nsm.lockPcr(20), REFUSED_LOCKED);
      const described = await nsm.describePcr(20);
      assert.equal(described.locked, true);
      assertBytes(described.value, value, 'PCR20');
    },
  },
  {
    name: 'to extend or lock a PCR that the module does not have is an invalid index',
    async run(device) {
      const nsm = new Nsm(device);
      const extend = new Map<string, number | Uint8Array>([
        ['index', 32],
        ['data', MEASUREMENT],
      ]);
      await assertModuleRefuses(nsm.request({ name: 'ExtendPCR', fields: extend }), ['NSM_INVALID_INDEX']);
      await assertModuleRefuses(nsm.request({ name: 'LockPCR', fields: new Map([['index', 32]]) }), [
        'NSM_INVALID_INDEX',
      ]);
    },
  },
];

// Last of all: afterwards no PCR can be extended any more.
export const rangeLockTests: readonly NsmConformanceTest[] = [
  {
    name: 'LockPCRs locks every PCR below its range and none at or above it, and says so with a bare text string',
    async run(device) {
      const response = decodeCbor(await device.request(encodeRequest(lockPcrsRequest(29))));
      assert.equal(response, 'LockPCRs');
      const { lockedPcrs } = await new Nsm(device).describeNsm();
      for (let index = 0; index < 29; index += 1) assert.ok(lockedPcrs.includes(index), `PCR${index} is not locked`);
      for (let index = 29; index < 32; index += 1) assert.ok(!lockedPcrs.includes(index), `PCR${index} is locked`);
    },
  },
  {
    name: 'a range beyond the last PCR is refused and locks nothing',
    async run(device) {
      const nsm = new Nsm(device);
      const before = await nsm.describeNsm();
      const request = { name: 'LockPCRs', fields: new Map([['range', 33]]) };
      await assertModuleRefuses(nsm.request(request), ['NSM_INVALID_INDEX', 'NSM_INVALID_ARGUMENT']);
      assert.deepEqual(await nsm.describeNsm(), before);
    },
  },
  {
    name: 'all 32 PCRs can be locked, and locked again; a document then lists them all',
    async run(device) {
      const nsm = new Nsm(device);
      await nsm.lockPcrs(32);
      await nsm.lockPcrs(32);
      const { lockedPcrs } = await nsm.describeNsm();
      assert.deepEqual(
        lockedPcrs,
        Array.from({ length: 32 }, (_, index) => index),
      );
    },
  },
];
