import { readdir, readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';

const folder = new URL('.', import.meta.url);
const readme = await readFile(new URL('../README.md', folder), 'utf8');
const [, section = ''] = /## The contract\n([\s\S]*?)\n## /.exec(readme) ?? [];
const rows = section
  .split('\n')
  .filter((line) => line.startsWith('|'))
  .slice(2)
  .map((line) => line.split('|').map((cell) => cell.trim()));

async function sources(path: string): Promise<string> {
  const files = (await readdir(new URL(path, folder))).filter((name) => name.endsWith('.ts'));
  return (await Promise.all(files.map((name) => readFile(new URL(`${path}${name}`, folder), 'utf8')))).join('\n');
}

describe('the contract in the README', () => {
  it('has lines', () => expect(rows.length).toBeGreaterThan(30));

  it.each(rows.map(([, subject, , test]) => [subject, test]))('is tested: %s', async (_, test) => {
    const tests = `${await sources('../src/conformance/')}${await sources('./')}`;
    expect(tests).toContain(`'${test}'`);
  });
});
