import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { startEmulator } from '@nitro-enclaves/emulator';
import { describe, expect, it } from 'vitest';

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');
const codesIn = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].map(([, code = '']) => code).sort();

describe('the README', () => {
  it('lists the codes of EmulatorError, no more and no fewer', () => {
    const documented = codesIn(read('../README.md'), /^\| `(EMULATOR_[A-Z_]+)` +\|/gm);
    expect(documented).toEqual(codesIn(read('../src/error.ts'), /'(EMULATOR_[A-Z_]+)'/g));
  });

  it('names every kind of fault', () => {
    for (const kind of codesIn(read('../src/faults.ts'), /readonly kind: '([a-z-]+)'/g)) {
      expect(read('../README.md')).toContain(`\`${kind}\``);
    }
  });
});

/** A folder with `nitro-enclaves`, the built command, to put on the path. */
function commandFolder(parent: string): string {
  const folder = join(parent, 'bin');
  mkdirSync(folder);
  const main = new URL('../../cli/dist/main.js', import.meta.url).pathname;
  writeFileSync(join(folder, 'nitro-enclaves'), `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`);
  chmodSync(join(folder, 'nitro-enclaves'), 0o755);
  return folder;
}

describe('the launch walk-through', () => {
  it('does what the README says', { timeout: 120_000 }, async (context) => {
    const emulator = await startEmulator({ kms: false });
    await emulator.close();
    if (!emulator.isolation.namespaces)
      context.skip('needs user namespaces (sysctl kernel.unprivileged_userns_clone=1)');
    const [, script = ''] = read('../README.md').match(/```sh walk-through\n(.*?)```/s) ?? [];
    const folder = mkdtempSync(join(tmpdir(), 'ne-'));
    const cwd = join(folder, 'cwd');
    mkdirSync(cwd);
    try {
      const path = [commandFolder(folder), dirname(process.execPath), process.env['PATH']].join(delimiter);
      const { status, stdout, stderr } = spawnSync('bash', ['-euo', 'pipefail', '-s'], {
        cwd,
        env: { PATH: path },
        // Whatever fails, the emulator in the background ends with the script.
        input: `trap 'kill $(jobs -p) 2> /dev/null || true' EXIT\n${script}`,
        encoding: 'utf8',
        timeout: 100_000,
      });
      expect(status, stdout + stderr).toBe(0);
      expect(stdout).toContain('"Flags": "DEBUG_MODE"');
      expect(stdout).toContain('\nhello\n');
      expect(stdout).toContain('"Terminated": true');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
