import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../tools/run.mjs';
import { rigUnavailable } from '../qemu/rig/rig.mjs';

const MINUTE = 60_000;
const impossible = await rigUnavailable();

describe.skipIf(impossible !== undefined)(
  `npm run demo:qemu${impossible === undefined ? '' : `: ${impossible}`}`,
  () => {
    it(
      'does the main job in a booted enclave, over AF_VSOCK, with the proxy and the credentials of the package parent',
      () => {
        const args = [join(ROOT, 'tools', 'demo', 'demo-qemu.mjs'), '--json', '--megabytes', '3'];
        const { status, stdout, stderr } = spawnSync(process.execPath, args, {
          encoding: 'utf8',
          timeout: 25 * MINUTE,
        });
        expect(status, stdout.slice(-3000) + stderr.slice(-3000)).toBe(0);
        expect(JSON.parse(stdout)).toMatchObject({ ok: true });
      },
      30 * MINUTE,
    );
  },
);
