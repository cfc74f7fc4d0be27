// The dependency diagram of ARCHITECTURE.md: what each package may depend on at run time, and that its sources import
// nothing else. Arrows point down; a package of one layer never imports another of it.
import { readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import { ROOT } from '../run.mjs';
import { manifestOf, packageFolders } from '../workspace.mjs';

const own = (...folders) => folders.map((folder) => `@nitro-enclaves/${folder}`);

/** Every run-time dependency that the diagram draws, by folder. */
const DIAGRAM = {
  core: [],
  native: [],
  vsock: own('native'),
  nsm: [...own('core', 'native'), 'cbor-x'],
  attestation: own('core'),
  eif: [...own('core'), '@noble/hashes', '@peculiar/x509', 'fzstd', 'reflect-metadata'],
  kms: [
    ...own('core'),
    '@aws-crypto/client-node',
    '@aws-sdk/client-kms',
    '@smithy/node-http-handler',
    '@smithy/types',
    'asn1js',
    'pkijs',
  ],
  parent: [
    ...own('core', 'vsock'),
    '@aws-sdk/credential-providers',
    '@opentelemetry/api',
    '@opentelemetry/api-logs',
    '@smithy/types',
    'prom-client',
    'yaml',
    'zod',
  ],
  emulator: [
    ...own('attestation', 'core', 'eif', 'kms', 'nsm', 'parent', 'vsock'),
    '@noble/curves',
    '@peculiar/x509',
    'asn1js',
    'cbor-x',
    'node-sqlite3-wasm',
    'pkijs',
    'reflect-metadata',
  ],
  cli: [...own('attestation', 'core', 'eif', 'emulator', 'kms', 'nsm', 'parent', 'vsock'), 'commander'],
};

function undrawn(folder) {
  const drawn = DIAGRAM[folder];
  if (drawn === undefined) return [`${folder} is not in the diagram`];
  const { dependencies = {}, peerDependencies = {}, optionalDependencies = {} } = manifestOf(folder);
  return Object.keys({ ...dependencies, ...peerDependencies, ...optionalDependencies })
    .filter((name) => !drawn.includes(name))
    .map((name) => `${folder} depends on ${name}, which the diagram does not draw`);
}

const IMPORT = /^\s*(?:import|export)\s(?:[^'";]*?\sfrom\s)?\s*'([^'.][^']*)'|\bimport\(\s*'([^'.][^']*)'\s*\)/gm;

function packageOf(specifier) {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

function undeclaredImports(folder) {
  const { name, dependencies = {} } = manifestOf(folder);
  const sources = join(ROOT, 'packages', folder, 'src');
  const files = readdirSync(sources, { recursive: true }).filter((file) => file.endsWith('.ts'));
  return files.flatMap((file) =>
    Array.from(readFileSync(join(sources, file), 'utf8').matchAll(IMPORT), ([, from, dynamic]) => from ?? dynamic)
      .filter((specifier) => !isBuiltin(specifier) && !(packageOf(specifier) in dependencies))
      .filter((specifier) => packageOf(specifier) !== name)
      .map(
        (specifier) => `packages/${folder}/src/${file} imports ${specifier}, which its package.json does not declare`,
      ),
  );
}

/** Dependencies outside the diagram, and imports outside the dependencies. */
export async function layers() {
  return packageFolders().flatMap((folder) => [...undrawn(folder), ...undeclaredImports(folder)]);
}
