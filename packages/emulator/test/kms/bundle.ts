import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const PACKAGES = new URL('../../../', import.meta.url);
/** The sources of our packages, so that the child runs what the tests read, and nothing built before. */
const SOURCES: Readonly<Record<string, string>> = {
  '@nitro-enclaves/core': 'core/src/index.ts',
  '@nitro-enclaves/attestation': 'attestation/src/node/index.ts',
};

/** Makes a program that any Node can run of a test's TypeScript. It lies inside of the package, to find its dependencies. */
export async function bundleChild(source: URL): Promise<string> {
  const entry = fileURLToPath(source);
  const outfile = fileURLToPath(new URL(`../../.cache/${basename(entry, '.ts')}.${process.pid}.mjs`, import.meta.url));
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    logLevel: 'silent',
    alias: Object.fromEntries(
      Object.entries(SOURCES).map(([from, to]) => [from, fileURLToPath(new URL(to, PACKAGES))]),
    ),
  });
  return outfile;
}
