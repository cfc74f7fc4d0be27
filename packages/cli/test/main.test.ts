import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url));

describe('nitro-enclaves', () => {
  it('ends without a word when nobody reads what it prints any more', async () => {
    const child = spawn(process.execPath, [MAIN, 'eif', '--help'], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.destroy();
    const said: Buffer[] = [];
    child.stderr.on('data', (bytes: Buffer) => said.push(bytes));
    const [exitCode, signal] = await once(child, 'close');
    expect(Buffer.concat(said).toString()).toBe('');
    expect({ exitCode, signal }).toEqual({ exitCode: 0, signal: null });
  });

  it('ends with the same status when nobody reads what it says of an error', async () => {
    const child = spawn(process.execPath, [MAIN, 'eif', 'measure', '/absent.eif'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stderr.destroy();
    child.stdout.resume();
    expect(await once(child, 'close')).toEqual([4, null]);
  });

  it.skipIf(!existsSync('/dev/full'))('says in one sentence that a full disk does not take its result', () => {
    const full = openSync('/dev/full', 'w');
    const role = 'arn:aws:iam::123456789012:role/Webserver';
    const { status, stderr } = spawnSync(process.execPath, [MAIN, 'pcr', '--role-arn', role], {
      stdio: ['ignore', full, 'pipe'],
      encoding: 'utf8',
    });
    closeSync(full);
    expect(stderr).toMatch(/^error: standard output: ENOSPC.*\n$/);
    expect(status).toBe(4);
  });
});
