import assert from 'node:assert/strict';
import { decodeCbor } from '@nitro-enclaves/core';
import { Nsm } from '../nsm.ts';
import { assertModuleRefuses, PLATFORM_PCRS } from './expectations.ts';
import type { NsmConformanceTest } from './suite.ts';

/** The bare text string `text` in CBOR, up to 23 characters. */
function textString(text: string): Uint8Array {
  return Uint8Array.from([0x60 | text.length, ...new TextEncoder().encode(text)]);
}

export const describeTests: readonly NsmConformanceTest[] = [
  {
    name: 'DescribeNSM states 32 PCRs of SHA384, a module id and a version',
    async run(device) {
      const description = await new Nsm(device).describeNsm();
      assert.equal(description.maxPcrs, 32);
      assert.equal(description.digest, 'SHA384');
      assert.match(description.moduleId, /^\S{1,99}$/);
      assert.ok(description.version.major >= 1, `expected version 1 or later, found ${description.version.major}`);
    },
  },
  {
    name: 'PCR0 to PCR15 are locked before the enclave starts, and each PCR says the same of itself as DescribeNSM does',
    async run(device) {
      const nsm = new Nsm(device);
      const { lockedPcrs, maxPcrs } = await nsm.describeNsm();
      for (let index = 0; index < PLATFORM_PCRS; index += 1) {
        assert.ok(lockedPcrs.includes(index), `expected PCR${index} to be locked`);
      }
      for (let index = 0; index < maxPcrs; index += 1) {
        const { locked, value } = await nsm.describePcr(index);
        assert.equal(locked, lockedPcrs.includes(index), `lock of PCR${index}`);
        assert.equal(value.length, 48, `length of PCR${index}`);
      }
    },
  },
  {
    name: 'a PCR that the module does not have is an invalid index',
    async run(device) {
      const request = { name: 'DescribePCR', fields: new Map([['index', 32]]) };
      await assertModuleRefuses(new Nsm(device).request(request), ['NSM_INVALID_INDEX']);
    },
  },
  {
    name: 'a request without fields is a bare text string, and its answer a map of one entry with its name',
    async run(device) {
      const response = decodeCbor(await device.request(textString('DescribeNSM')));
      assert.ok(response instanceof Map);
      assert.deepEqual([...response.keys()], ['DescribeNSM']);
    },
  },
  {
    name: 'a request that the module does not know is an invalid operation',
    async run(device) {
      const nsm = new Nsm(device);
      await assertModuleRefuses(nsm.request({ name: 'DescribeMoon' }), ['NSM_INVALID_OPERATION']);
      const withFields = { name: 'DescribeMoon', fields: new Map([['index', 1]]) };
      await assertModuleRefuses(nsm.request(withFields), ['NSM_INVALID_OPERATION']);
    },
  },
];
