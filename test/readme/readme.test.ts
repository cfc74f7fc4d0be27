// The examples of every document: each `ts` block is type-checked, and run as a module of its own unless a mark says that it
// needs a place (see test/documents); each `sh` block marked `run` is run by bash in an empty folder, with `nitro-enclaves` on
// its path, and goes on through those marked `go-on`. They use the built packages, as a reader would.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../../tools/run.mjs';
import type { CodeBlock } from './code-blocks.ts';
import { codeBlocks, documents } from './code-blocks.ts';
import { fileOf, writeProgram } from './program.ts';

const TSC = createRequire(import.meta.url).resolve('typescript/bin/tsc');

/** Below this package, so that examples find the workspace's packages as those of a user find theirs. */
const CACHE = fileURLToPath(new URL('../.cache/readme/', import.meta.url));

const MAIN = join(ROOT, 'packages', 'cli', 'dist', 'main.js');

const TSCONFIG = {
  compilerOptions: {
    target: 'ES2022',
    module: 'nodenext',
    lib: ['ES2023', 'ESNext.Disposable', 'DOM', 'DOM.Iterable'],
    types: ['node'],
    strict: true,
    noEmit: true,
    skipLibCheck: true,
  },
  include: ['*.mts'],
};

const blocks = documents().flatMap(codeBlocks);
const examples = blocks.filter(({ language }) => language === 'ts');

/** The blocks to run; one that is marked `go-on` belongs to the one before. */
const commands: CodeBlock[] = [];
for (const block of blocks.filter(({ language, marks }) => language === 'sh' && marks[0] === 'run')) {
  const before = commands.at(-1);
  if (block.marks.includes('go-on') && before !== undefined)
    commands.splice(-1, 1, { ...before, code: before.code + block.code });
  else commands.push(block);
}

let folder: string;
beforeAll(() => {
  mkdirSync(CACHE, { recursive: true });
  folder = mkdtempSync(join(CACHE, 'run-'));
  // The command of this tree: pnpm can make none while the packages are not built yet.
  mkdirSync(join(folder, 'bin'));
  const command = `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`;
  writeFileSync(join(folder, 'bin', 'nitro-enclaves'), command, { mode: 0o755 });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a program in an empty folder of its own. */
function runAlone(command: string, args: readonly string[], input = '') {
  const cwd = mkdtempSync(join(tmpdir(), 'example-'));
  const env = {
    ...process.env,
    PATH: [dirname(process.execPath), join(folder, 'bin'), process.env['PATH']].join(delimiter),
  };
  try {
    return spawnSync(command, args, { cwd, env, input, encoding: 'utf8', timeout: 120_000 });
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
}

describe('the examples of every document', () => {
  it('type-check', { timeout: 180_000 }, () => {
    for (const block of examples) writeFileSync(join(folder, fileOf(block, '.mts')), block.code);
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(TSCONFIG));
    const { stdout } = spawnSync(process.execPath, [TSC, '-p', folder], { encoding: 'utf8' });
    expect(stdout).toBe('');
  });

  for (const block of examples.filter(({ marks }) => marks.length === 0)) {
    it(`runs at ${block.place}`, { timeout: 150_000 }, () => {
      const { status, stdout, stderr } = runAlone(process.execPath, [writeProgram(block, folder)]);
      expect(status, stdout + stderr).toBe(0);
    });
  }

  for (const block of commands) {
    it(`runs at ${block.place}`, { timeout: 150_000 }, () => {
      const { status, stdout, stderr } = runAlone('bash', ['-euo', 'pipefail', '-s'], block.code);
      expect(status, stdout + stderr).toBe(0);
    });
  }
});
