import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

function read(path: string): string {
  return readFileSync(new URL(path, import.meta.url), 'utf8');
}

/** The members of the unions of codes in a source file. */
function codesIn(path: string): string[] {
  return [...read(path).matchAll(/^ {2}\| '([A-Z0-9_]+)'/gm)].map(([, code = '']) => code);
}

const SOURCES = [
  '../src/error.ts',
  '../../core/src/cbor-value.ts',
  '../../core/src/cose.ts',
  '../../core/src/der.ts',
  '../../core/src/certificate.ts',
];

describe('the table of codes in the README', () => {
  it('has every code of the package, each once, and no other', () => {
    const listed = [...read('../README.md').matchAll(/^\| `([A-Z0-9_]+)` +\|/gm)].map(([, code = '']) => code);
    const existing = SOURCES.flatMap(codesIn);
    expect(existing.length).toBeGreaterThan(80);
    expect([...listed].sort()).toEqual([...existing].sort());
  });
});
