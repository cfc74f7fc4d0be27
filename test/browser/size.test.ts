import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { bundle } from './bundle.ts';

/** Most bytes (1 kB is 1000 of them) of an entry, minified and gzipped, with everything that it depends on. */
const BUDGETS = { attestation: 12_000, core: 6_000, eif: 25_000 } as const;

const FOREIGN: readonly [what: string, pattern: RegExp][] = [
  ['a Node module', /["']node:/],
  ['Buffer', /\bBuffer\b/],
  ['process', /\bprocess\./],
  ['require', /(?<![.\w])require\((?!\w+,\w+\)\{)/],
  ['an addon', /\.node["']/],
  ['a global of Node', /\b(?:__dirname|__filename|setImmediate)\b/],
];

function bundleEntry(name: string): Promise<Uint8Array> {
  const contents = `export * from '@nitro-enclaves/${name}';`;
  return bundle({ stdin: { contents, resolveDir: fileURLToPath(new URL('..', import.meta.url)) } }, true);
}

describe('the browser entry', () => {
  for (const [name, budget] of Object.entries(BUDGETS)) {
    it(`of ${name} is at most ${budget} bytes, minified and gzipped`, async () => {
      expect(gzipSync(await bundleEntry(name), { level: 9 }).length).toBeLessThanOrEqual(budget);
    });

    it(`of ${name} uses nothing that only Node has`, async () => {
      const code = new TextDecoder().decode(await bundleEntry(name));
      expect(FOREIGN.filter(([, pattern]) => pattern.test(code)).map(([what]) => what)).toEqual([]);
    });
  }
});
