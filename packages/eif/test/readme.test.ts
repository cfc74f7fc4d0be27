import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');

/** Everything that `pattern` captures in `text`. */
const captured = (text: string, pattern: RegExp): string[] => [...text.matchAll(pattern)].map(([, code = '']) => code);

describe('the tables of codes in the README', () => {
  it('have every code of the package, each once, and no other', () => {
    const listed = captured(read('../README.md'), /^\| `((?:EIF|CPIO|KMS_POLICY|BUILD)_[A-Z0-9_]+)` +\|/gm);
    const sources = ['../src/error.ts', '../src/kms-policy/error.ts', '../src/build/error.ts'];
    const existing = sources.flatMap((path) => captured(read(path), /^ {2}\| '([A-Z0-9_]+)'/gm));
    expect(existing.length).toBeGreaterThan(100);
    expect([...listed].sort()).toEqual([...existing].sort());
  });
});
