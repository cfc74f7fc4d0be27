import { readdirSync } from 'node:fs';
import { defineConfig } from 'vitest/config';

// Tests read the sources, so that nothing stale is ever tested; the packed packages have tests of their own.
const alias = Object.fromEntries(
  readdirSync(new URL('packages', import.meta.url)).map((name) => [
    `@nitro-enclaves/${name}`,
    new URL(
      ['attestation', 'eif'].includes(name) ? `packages/${name}/src/node/index.ts` : `packages/${name}/src/index.ts`,
      import.meta.url,
    ).pathname,
  ]),
);

export default defineConfig({
  resolve: { alias },
  test: {
    include: ['packages/*/test/**/*.test.ts', 'test/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 120_000,
    reporters: ['default', './test/closing-line-reporter.ts'],
  },
});
