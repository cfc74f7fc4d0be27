import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');
const codesIn = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].map(([, code = '']) => code).sort();

describe('the tables of error codes in the README', () => {
  it('list the codes there are, no more and no fewer', () => {
    const documented = codesIn(read('../README.md'), /^\| `([A-Z_]+)` +\|/gm);
    const there = codesIn(read('../src/error.ts'), /'([A-Z_]+)'/g);
    expect(documented).toEqual(there);
  });
});
