// What a user gets: the packed tarballs, installed by npm in a folder that knows nothing of this workspace.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { version as esbuild } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { manifestOf, packAll, packageFolders } from '../../tools/workspace.mjs';
import { codeBlocks } from '../readme/code-blocks.ts';

/** Every path that a package exports to programs: `@nitro-enclaves/vsock`, `@nitro-enclaves/vsock/conformance`. */
const entries = packageFolders().flatMap((folder) => {
  const { name, exports } = manifestOf(folder);
  return Object.keys(exports)
    .filter((path) => !path.endsWith('.json'))
    .map((path) => name + path.slice(1));
});

const require = createRequire(import.meta.url);
const TSC = require.resolve('typescript/bin/tsc');

const { version: nodeTypes } = require('@types/node/package.json');

let project: string;

/** Runs a program in the user's folder; gives its output, or fails with it. */
function runThere(command: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: project, encoding: 'utf8' });
  expect(status, stdout + stderr).toBe(0);
  return stdout;
}

/** The sources that a map holds; null for each that it only names. */
function sourcesIn(map: string): unknown[] {
  const { sources, sourcesContent = [] } = JSON.parse(readFileSync(map, 'utf8'));
  return sources.map((_: string, index: number) => sourcesContent[index] ?? null);
}

beforeAll(async () => {
  project = mkdtempSync(join(tmpdir(), 'installed-'));
  const packed = await packAll(join(project, 'tarballs'));
  const dependencies = Object.fromEntries(packed.map(({ name, tarball }) => [name, `file:${tarball}`]));
  const manifest = {
    type: 'module',
    private: true,
    dependencies,
    devDependencies: { esbuild, '@types/node': nodeTypes },
  };
  writeFileSync(join(project, 'package.json'), JSON.stringify(manifest));
  runThere('npm', 'install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline');
}, 600_000);

afterAll(() => rmSync(project, { recursive: true, force: true }));

describe('the packed packages, installed elsewhere without running any script', () => {
  for (const entry of entries) {
    it(`give ${entry} to an import`, () => {
      const program = `const names = Object.keys(await import('${entry}')); process.stdout.write(names.join(' '))`;
      expect(runThere(process.execPath, '--input-type=module', '--eval', program)).not.toBe('');
    });
  }

  it('give the same to a require() of CommonJS', () => {
    const same = entries.map((entry) => `if (require('${entry}') !== (await import('${entry}'))) throw '${entry}';`);
    const program = `(async () => { ${same.join('\n')} process.stdout.write('same'); })();`;
    expect(runThere(process.execPath, '--input-type=commonjs', '--eval', program)).toBe('same');
  });

  it('depend on each other in one copy each', () => {
    const { packages } = JSON.parse(readFileSync(join(project, 'node_modules', '.package-lock.json'), 'utf8'));
    const own = Object.keys(packages).filter((path) => path.includes('node_modules/@nitro-enclaves/'));
    expect(own.sort()).toEqual(packageFolders().map((folder) => `node_modules/@nitro-enclaves/${folder}`));
  });

  it('hold no source, no test and no other file than package.json lists', () => {
    for (const folder of packageFolders()) {
      const installed = join(project, 'node_modules', '@nitro-enclaves', folder);
      for (const absent of ['src', 'test', 'tsconfig.json', 'node_modules']) {
        expect(existsSync(join(installed, absent)), `${folder}/${absent}`).toBe(false);
      }
    }
  });

  it('tell bundlers which modules do something when they are loaded, so that those are kept', () => {
    for (const folder of packageFolders()) {
      const installed = join(project, 'node_modules', '@nitro-enclaves', folder);
      const loaded = readdirSync(installed, { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith('.js'))
        .filter((file) => /^import ["']/m.test(readFileSync(join(installed, file), 'utf8')))
        .map((file) => `./${file}`);
      expect(manifestOf(folder).sideEffects, folder).toEqual(loaded.length > 0 ? loaded : false);
    }
  });

  it('bring the sources that a debugger shows inside of maps, and name no other map', () => {
    for (const folder of packageFolders()) {
      const installed = join(project, 'node_modules', '@nitro-enclaves', folder, 'dist');
      for (const file of readdirSync(installed, { recursive: true, encoding: 'utf8' })) {
        if (!/\.(js|d\.ts)$/.test(file)) continue;
        const [, map] = /^\/\/# sourceMappingURL=(.*)$/m.exec(readFileSync(join(installed, file), 'utf8')) ?? [];
        if (file.endsWith('.d.ts')) expect(map, `${folder}/${file}`).toBeUndefined();
        else expect(sourcesIn(join(installed, dirname(file), String(map))), `${folder}/${file}`).not.toContain(null);
      }
    }
  });

  it('bring the command nitro-enclaves, which explains itself', () => {
    const help = runThere(join(project, 'node_modules', '.bin', 'nitro-enclaves'), '--help');
    expect(help).toContain('Usage: nitro-enclaves');
  });

  it('give the command its version', () => {
    const version = runThere(join(project, 'node_modules', '.bin', 'nitro-enclaves'), '--version');
    expect(version.trim()).toBe(manifestOf('cli').version);
  });
});

/** The emulator's signatures have types of @peculiar/x509, which take those of browsers for granted. */
const STRICT = entries.filter((entry) => !entry.includes('/emulator'));
const OF_BROWSERS = entries.filter((entry) => /\/(attestation|core|eif)\b/.test(entry));

const COMPILERS = [
  { where: 'Node, as ES modules', file: 'all.mts', of: STRICT, options: { module: 'node16', types: ['node'] } },
  { where: 'Node, as CommonJS', file: 'all.cts', of: STRICT, options: { module: 'nodenext', types: ['node'] } },
  {
    where: 'a bundler',
    file: 'all.ts',
    of: entries,
    options: { moduleResolution: 'bundler', types: ['node'], lib: ['es2022', 'dom'] },
  },
  {
    where: 'a browser',
    file: 'browser.ts',
    of: OF_BROWSERS,
    options: { moduleResolution: 'bundler', types: [], lib: ['es2022', 'dom'] },
  },
];

describe('the types of the packed packages', () => {
  it.each(COMPILERS)('are checked without any leniency in $where', ({ file, of, options }) => {
    const imports = of.map((entry, index) =>
      file.endsWith('.cts') ? `import e${index} = require('${entry}');` : `import * as e${index} from '${entry}';`,
    );
    const names = of.map((_, index) => `e${index}`);
    writeFileSync(join(project, file), `${imports.join('\n')}\nvoid [${names.join(', ')}];\n`);
    const strict = { strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false, verbatimModuleSyntax: true };
    const compilerOptions = { noEmit: true, target: 'es2022', lib: ['es2022'], ...strict, ...options };
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: [file] }));
    runThere(process.execPath, TSC, '--project', '.');
  });
}, 120_000);

/** Loads the AWS SDK, which is CommonJS, and the addon, for a socket of the one family that every machine has. */
const PROGRAM = `
import { kmsRequestHandler } from '@nitro-enclaves/kms';
import { closeSocket, openSocket } from '@nitro-enclaves/native';
const AF_UNIX = 1;
try {
  closeSocket(openSocket(AF_UNIX));
  console.log(kmsRequestHandler.name);
} catch (error) {
  console.log(error.code, error.message);
}
`;

describe('a program in one file', () => {
  const [block] = codeBlocks('packages/native/README.md').filter(({ marks }) => marks[0] === 'bundle');

  it('is bundled as the page of native says, and finds the addon', () => {
    writeFileSync(join(project, 'main.js'), PROGRAM);
    expect(runThere('bash', '-euo', 'pipefail', '-c', String(block?.code))).toContain('kmsRequestHandler');
  }, 60_000);

  it('says where it looked for the addon when that is not there', () => {
    rmSync(join(project, 'prebuilds'), { recursive: true });
    const said = runThere(process.execPath, join('app', 'main.mjs'));
    expect(said).toMatch(
      /^NATIVE_NOT_LOADED .*\.\.\/prebuilds\/.* from file:.*app\/main\.mjs, .*@nitro-enclaves\/native/,
    );
  });
});
