import { spawn } from 'node:child_process';
import { once } from 'node:events';
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
});
