// `npm install …`, as the page of each package says it: from a registry that has this tree's packages.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { codeBlocks, documents } from '../readme/code-blocks.ts';
import { PackedRegistry } from './registry.ts';

const blocks = documents()
  .flatMap(codeBlocks)
  .filter(({ language, marks }) => language === 'sh' && marks[0] === 'install');

let folder: string;
let registry: PackedRegistry;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'install-'));
  registry = await PackedRegistry.start(join(folder, 'packed'));
  writeFileSync(join(folder, 'npmrc'), `${registry.configuration}ignore-scripts=true\naudit=false\nfund=false\n`);
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n');
}, 300_000);
afterAll(async () => {
  await registry?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs commands in the reader's folder; whatever is installed globally goes below it. */
async function runThere(code: string): Promise<string> {
  const prefix = join(folder, 'global');
  const env = {
    ...process.env,
    npm_config_globalconfig: join(folder, 'npmrc'),
    npm_config_prefix: prefix,
    npm_config_prefer_offline: 'true',
  };
  const child = spawn('bash', ['-euo', 'pipefail', '-c', code], {
    cwd: folder,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (bytes) => {
      output += bytes;
    });
  const [status] = await once(child, 'close');
  expect(status, output).toBe(0);
  return output;
}

describe('installing', () => {
  it('is explained for every package', () => {
    const text = blocks.map(({ code }) => code).join('');
    for (const name of registry.names) expect(text).toContain(name);
  });

  it.each(blocks.map(({ place, code }) => [place, code]))('works at %s', { timeout: 300_000 }, async (_place, code) => {
    await runThere(code);
  });

  it('leaves each package where an import finds it', { timeout: 60_000 }, async () => {
    const local = registry.names.filter((name) => name !== '@nitro-enclaves/cli');
    const imports = local.map((name) => `await import('${name}');`).join('');
    await runThere(`'${process.execPath}' --input-type=module --eval "${imports}"`);
    expect(existsSync(join(folder, 'global', 'bin', 'nitro-enclaves'))).toBe(true);
  });
});
