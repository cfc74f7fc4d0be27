import { readdirSync, readFileSync } from 'node:fs';
import { defineConfig } from 'vitest/config';

interface ExportConditions {
  readonly default: string | ExportConditions;
  readonly node?: ExportConditions;
}

/** The source of an export, as Node sees it: `./dist/a.js` is made of `./src/a.ts`. */
function sourceOf(conditions: ExportConditions): string {
  const { node, default: otherwise } = conditions;
  if (node !== undefined) return sourceOf(node);
  return typeof otherwise === 'string' ? otherwise.replace(/^\.\/dist\/(.*)\.js$/, 'src/$1.ts') : sourceOf(otherwise);
}

// Tests read the sources, so that nothing stale is ever tested; the packed packages have tests of their own.
const alias = readdirSync(new URL('packages', import.meta.url)).flatMap((folder) => {
  const root = new URL(`packages/${folder}/`, import.meta.url);
  const { exports } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'));
  return Object.entries<string | ExportConditions>(exports).flatMap(([subpath, target]) => {
    if (typeof target === 'string') return [];
    const find = new RegExp(`^@nitro-enclaves/${folder}${subpath.slice(1)}$`);
    return [{ find, replacement: new URL(sourceOf(target), root).pathname }];
  });
});

export default defineConfig({
  resolve: { alias },
  test: {
    include: ['packages/*/test/**/*.test.ts', 'examples/*/test/**/*.test.ts', 'test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 180_000,
    // Tests wait more than they compute: two at a time, also where Vitest would leave one of two cores alone.
    maxWorkers: 2,
    // Machines are shared and noisy. What fails twice in a row is wrong.
    retry: 1,
    reporters: ['default', './test/closing-line-reporter.ts'],
  },
});
