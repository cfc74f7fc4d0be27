import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { probeIsolation } from '../../packages/emulator/src/hypervisor/isolation.ts';
import { ROOT } from '../../tools/run.mjs';

const MINUTE = 60_000;
const { namespaces } = await probeIsolation();
const impossible = namespaces ? '' : ': needs user namespaces, which this kernel does not allow';

describe.skipIf(impossible !== '')(`npm run demo${impossible}`, () => {
  it(
    'does the main job, and everything in it is as it should be',
    () => {
      const args = [join(ROOT, 'tools', 'demo', 'demo.mjs'), '--json', '--megabytes', '3'];
      const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 8 * MINUTE });
      expect(status, stdout.slice(-3000) + stderr.slice(-3000)).toBe(0);
      const { ok, steps } = JSON.parse(stdout);
      expect(ok).toBe(true);
      expect(steps.filter(({ holds }: { holds?: boolean }) => holds === false)).toEqual([]);
      expect(steps.length).toBeGreaterThan(25);
    },
    9 * MINUTE,
  );
});
