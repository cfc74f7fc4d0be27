import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import type { NsmDevice } from '@nitro-enclaves/nsm';
import { openNsm, openNsmDeviceFile } from '@nitro-enclaves/nsm';
import { NSM_CONFORMANCE } from '@nitro-enclaves/nsm/conformance';
import type { GuestTest } from './guest-test.ts';

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

const openTests: readonly GuestTest[] = [
  {
    name: 'nsm: /dev/nsm opens, describes itself and closes at the end of the block',
    async run() {
      assert.ok(existsSync('/dev/nsm'), 'expected /dev/nsm');
      await using nsm = await openNsm();
      const { version, moduleId } = await nsm.describeNsm();
      return `version ${version.major}.${version.minor}.${version.patch}, ${moduleId}`;
    },
  },
  {
    name: 'nsm: the module id is the one that the enclave was started with',
    needs: 'parent',
    async run({ parent }) {
      const { moduleId } = parent().settings;
      if (moduleId === undefined) return 'the launcher did not choose one';
      await using nsm = await openNsm();
      assert.equal((await nsm.describeNsm()).moduleId, moduleId);
      return moduleId;
    },
  },
  {
    name: 'nsm: every PCR that eif predicted has the value predicted',
    needs: 'parent',
    async run({ parent }) {
      const { predictedPcrs } = parent().settings;
      await using nsm = await openNsm();
      const found: Record<string, string> = {};
      for (const index of Object.keys(predictedPcrs)) found[index] = hex((await nsm.describePcr(Number(index))).value);
      assert.deepEqual(found, predictedPcrs);
      return `PCR ${Object.keys(found).join(', ')}`;
    },
  },
  {
    name: 'nsm: the kernel takes an entropy seed of the module',
    async run() {
      await using nsm = await openNsm();
      return `${await nsm.entropySeed()} bytes`;
    },
  },
  {
    name: 'nsm: two handles are served side by side, on threads of their own',
    async run() {
      await using first = await openNsm();
      await using second = await openNsm();
      const lengths = [3000, 1, 257, 40, 5000, 8];
      const all = lengths.map((length, index) => (index % 2 === 0 ? first : second).getRandom(length));
      const found = (await Promise.all(all)).map((random) => random.length);
      assert.deepEqual(found, lengths);
      return undefined;
    },
  },
];

let device: Promise<NsmDevice> | undefined;

/** The conformance suite runs on one and the same device, in order: its last test closes it. */
const conformanceTests: readonly GuestTest[] = NSM_CONFORMANCE.map(({ name, run }) => ({
  name: `nsm conformance: ${name}`,
  async run() {
    device ??= openNsmDeviceFile();
    await run(await device);
    return undefined;
  },
}));

export const nsmTests: readonly GuestTest[] = [...openTests, ...conformanceTests];
