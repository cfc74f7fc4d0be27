import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pcr3FromRoleArn, pcr4FromInstanceId, readEif, signEif } from '@nitro-enclaves/eif';
import { unixTransport, VMADDR_CID_PARENT } from '@nitro-enclaves/vsock';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startKmsForEnclave } from './emulated-kms.ts';
import type { GuestResult } from './guest/guest-test.ts';
import { GUEST_TESTS } from './guest/guest-tests.ts';
import { buildHardwareImage } from './hardware-image.ts';
import { answerHeartbeat, startParent } from './parent.ts';
import { QemuEnclave } from './rig/enclave.mjs';
import { buildTestImage } from './rig/image.mjs';
import { prepareRig, rigUnavailable } from './rig/rig.mjs';
import { selfSigned } from './rig/self-signed.mjs';
import { FIRST_PORT, SERVICE, TLS_NAME } from './traffic/services.ts';

const MINUTE = 60_000;
const PREPARATION = 40 * MINUTE;
const ENCLAVE_LIFE = 60 * MINUTE;

const INSTANCE_ID = 'i-0123456789abcdef0';
const MODULE_ID = `${INSTANCE_ID}-enc0123456789abcdef`;
const ROLE = 'arn:aws:iam::123456789012:role/GuestTests';

/** `NITRO_QEMU_FULL=1`: 1 GiB each way over the parent's connections too, and 5000 connections in both directions. */
const FULL = process.env['NITRO_QEMU_FULL'] === '1';
const LOAD = {
  outward: { bulkMebibytes: 1024, connections: FULL ? 5000 : 2000 },
  inward: { bulkMebibytes: FULL ? 1024 : 64, connections: FULL ? 5000 : 1000 },
};

const impossible = await rigUnavailable();
/** Longest that the console may be silent: one bulk transfer on a machine that is busy otherwise. */
const SILENCE = FULL ? 30 * MINUTE : 10 * MINUTE;

const results = new Map<string, GuestResult>();
let folder: string;
let enclave: QemuEnclave;
let heartbeat = false;

async function buildSignedImage(boot: { kernel: string; modules: readonly string[] }) {
  const image = join(folder, 'guest-tests.eif');
  await buildTestImage({ output: image, boot });
  const { key, certificate } = await selfSigned('signer.test');
  await signEif(image, { key, certificate });
  const { pcrs } = await readEif(image);
  return { image, pcrs };
}

function expectPcr(pcr: string | undefined): string {
  if (pcr === undefined) throw new Error('expected a PCR8, since the image is signed');
  return pcr;
}

/** The test of the guest called `name`, as if it had run here. */
function expectPassed(name: string): string {
  const result = results.get(name);
  if (result === undefined) {
    const console = enclave.console.slice(-30).join('\n');
    throw new Error(`the enclave did not report on this; the end of its console:\n${console}`);
  }
  if (result.outcome !== 'passed') throw new Error(`inside the enclave: ${result.outcome}: ${result.detail}`);
  return result.detail ?? '';
}

describe.skipIf(impossible !== undefined)(
  `an enclave in QEMU${impossible === undefined ? '' : `: ${impossible}`}`,
  () => {
    beforeAll(async () => {
      const rig = await prepareRig();
      folder = await mkdtemp(join(tmpdir(), 'nitro-'));
      const { image, pcrs } = await buildSignedImage(rig);
      const transport = unixTransport({ folder, cid: VMADDR_CID_PARENT });
      await using kms = await startKmsForEnclave({ transport, scratch: folder }, pcrs.PCR0);
      const settings = {
        predictedPcrs: {
          ...{ 0: pcrs.PCR0, 1: pcrs.PCR1, 2: pcrs.PCR2, 8: expectPcr(pcrs.PCR8) },
          ...{ 3: pcr3FromRoleArn(ROLE), 4: pcr4FromInstanceId(INSTANCE_ID) },
        },
        moduleId: MODULE_ID,
        tls: await selfSigned(TLS_NAME),
        load: LOAD,
        kms: kms.settings,
      };
      await using parent = await startParent({
        transport,
        settings,
        answersHeartbeat: true,
        inject: (faults) => kms.inject(faults),
        onResult: (result) => results.set(result.name, result),
      });
      parent.booted.then(() => {
        heartbeat = true;
      });
      const ports = Object.values(SERVICE).map((offset) => FIRST_PORT.ENCLAVE + offset);
      const identity = { id: MODULE_ID, 'parent-role': ROLE, 'parent-id': INSTANCE_ID };
      enclave = await QemuEnclave.boot({ rig, image, folder, ports, memory: 1024, identity, silenceLimit: SILENCE });
      await enclave.ended;
    }, PREPARATION + ENCLAVE_LIFE);

    afterAll(async () => {
      await enclave?.terminate();
      if (folder !== undefined) await rm(folder, { recursive: true, force: true });
      for (const { name, duration, detail = '' } of results.values()) console.log(`${duration} ms  ${name}  ${detail}`);
    });

    it('tells the parent that it has booted, as nitro-cli expects it', () => {
      expect(heartbeat, enclave.console.join('\n')).toBe(true);
    });

    for (const { name } of GUEST_TESTS) {
      it(name, () => {
        expectPassed(name);
      });
    }

    it('reports on every test, and on nothing else', () => {
      expect([...results.keys()]).toEqual(GUEST_TESTS.map(({ name }) => name));
    });

    it('ends by itself when its program has', () => {
      expect(enclave.console.at(-2) ?? '').toContain('application ended with exit code 0');
    });
  },
);

describe.skipIf(impossible !== undefined)('the image for real hardware', () => {
  let printed: string;
  let usage: string;
  let console: readonly string[];

  beforeAll(async () => {
    const rig = await prepareRig();
    const output = await mkdtemp(join(tmpdir(), 'nitro-'));
    try {
      printed = await buildHardwareImage(rig, output);
      usage = spawnSync(process.execPath, [join(output, 'parent/lib/parent.mjs')], { encoding: 'utf8' }).stderr;
      const transport = unixTransport({ folder: output, cid: VMADDR_CID_PARENT });
      // Nobody but nitro-cli's heartbeat, which comes with every launch.
      await using _heartbeat = await answerHeartbeat(transport, () => {});
      const image = join(output, 'guest-tests.eif');
      const hardware = await QemuEnclave.boot({ rig, image, folder: output, memory: 1024 });
      await hardware.ended;
      await hardware.terminate();
      console = hardware.console;
    } finally {
      await rm(output, { recursive: true, force: true });
    }
  }, PREPARATION + ENCLAVE_LIFE);

  it('comes with its PCRs, and with what to run on the parent instance', () => {
    expect(printed).toMatch(/^PCR0 [0-9a-f]{96}$/m);
    expect(printed).toMatch(/nitro-cli run-enclave --eif-path \S+ --cpu-count 2/);
  });

  it('comes with a parent program that needs nothing installed', () => {
    expect(usage).toContain('usage: node parent.mjs SETTINGS.json');
  });

  it('prints the report on the console, without what needs the parent program', () => {
    const needParent = GUEST_TESTS.filter(({ needs }) => needs === 'parent' || needs === 'emulated-kms').length;
    const alone = GUEST_TESTS.length - needParent;
    expect(console.join('\n')).toContain(`${alone} passed, 0 failed, ${needParent} skipped`);
    for (const { name, needs } of GUEST_TESTS) {
      const sign = needs === undefined || needs === 'loopback' ? 'ok  ' : 'skip';
      const shown = console.some((line) => line.startsWith(`${sign}  ${name} (`));
      expect(shown, name).toBe(true);
    }
  });
});
