// Nothing stands in a document unseen: each block of commands is marked with what runs it, and each mark has its test. The
// commands in the text are held to the programs' own options.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '@nitro-enclaves/cli';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../tools/run.mjs';
import { parseNitroCliArguments } from '../documents/nitro-cli-arguments.mjs';
import { codeBlocks, documents } from './code-blocks.ts';

const ALL = [...documents(), 'test/qemu/README.md'];
const commands = ALL.flatMap(codeBlocks).filter(({ language }) => language === 'sh');

/** The documents that have a block with this first mark. */
function documentsWith(mark: string): string[] {
  const places = commands.filter(({ marks }) => marks[0] === mark).map(({ place }) => place.replace(/:\d+$/, ''));
  return [...new Set(places)].sort();
}

/** By mark, the documents that have it: those that its test knows. Blocks marked `run`, `aws` and `install` are found anywhere. */
const TESTED: Readonly<Record<string, readonly string[]>> = {
  'walk-through': [
    'examples/hello/README.md',
    'examples/kms-tool/README.md',
    'examples/signer/README.md',
    'packages/emulator/README.md',
  ],
  bundle: ['packages/native/README.md'],
  clone: ['CONTRIBUTING.md', 'README.md', 'examples/process-file/README.md'],
  itself: ['CONTRIBUTING.md', 'README.md'],
  laptop: ['examples/tls-server/README.md', 'examples/verify-in-browser/README.md'],
  ec2: [
    'docs/laptop-to-ec2.md',
    'examples/hello/README.md',
    'examples/kms-tool/README.md',
    'examples/kubernetes/README.md',
    'examples/process-file/README.md',
    'examples/signer/README.md',
    'examples/tls-server/README.md',
    'examples/verify-in-browser/README.md',
    'packages/eif/README.md',
    'packages/parent/README.md',
    'test/qemu/README.md',
  ],
};

const withoutComment = (line: string) => line.replace(/\s+#.*$/, '').trim();

describe('the examples of the documents', () => {
  it('have no mark that nothing runs', () => {
    const known = ['', 'enclave', 'parent', 'parent go-on', 'files'];
    for (const { place, marks, language } of ALL.flatMap(codeBlocks))
      if (language === 'ts') expect(known, place).toContain(marks.join(' '));
  });
});

describe('the commands of the documents', () => {
  it('are each marked with what runs them', () => {
    const known = [...Object.keys(TESTED), 'run', 'aws', 'install'];
    for (const { place, marks } of commands) expect(known, place).toContain(marks[0]);
  });

  it.each(Object.entries(TESTED))('marked %s stand where their test looks for them', (mark, expected) => {
    expect(documentsWith(mark)).toEqual([...expected].sort());
  });

  it('that no test runs are the run of all tests', () => {
    const found = commands.filter(({ marks }) => marks[0] === 'itself').flatMap(({ code }) => code.trim().split('\n'));
    expect([...new Set(found.map(withoutComment))]).toEqual(['npm test']);
  });
});

/** The commands of `program` that stand in the text of the documents, with options, and without gaps. */
function inText(program: string): [place: string, words: string[]][] {
  return ALL.flatMap((document) => {
    const prose = readFileSync(join(ROOT, document), 'utf8').replaceAll(/^( *)```.*?^\1```/gms, '');
    return Array.from(prose.matchAll(new RegExp(`\`${program} ([^\`]+)\``, 'g')), ([, words = '']) => words)
      .filter((words) => /\s--\w/.test(` ${words}`) && !words.includes('…'))
      .map((words): [string, string[]] => [`${document}: ${program} ${words}`, words.split(/\s+/)]);
  });
}

/** What `nitro-enclaves … --help` prints for the command that the words begin with. */
async function helpOf(words: readonly string[]): Promise<string> {
  const path = words.slice(
    0,
    words.findIndex((word) => word.startsWith('-')),
  );
  for (let length = Math.min(path.length, 2); length > 0; length -= 1) {
    let text = '';
    let status = 0;
    const write = (piece: string) => {
      text += piece;
      return true;
    };
    const stream = { write } as unknown as NodeJS.WriteStream;
    await run([...path.slice(0, length), '--help'], {
      stdin: process.stdin,
      stdout: stream,
      stderr: stream,
      env: {},
      cwd: ROOT,
      signal: AbortSignal.timeout(60_000),
      exitWith: (code: number) => {
        status = code;
      },
    });
    if (status === 0 && text.includes(`Usage: nitro-enclaves ${path.slice(0, length).join(' ')}`)) return text;
  }
  return '';
}

describe('the commands in the text of the documents', () => {
  it.each(inText('nitro-cli'))('%s', (_place, words) => {
    expect(() => parseNitroCliArguments(words)).not.toThrow();
  });

  it.each(inText('nitro-enclaves'))('%s', async (_place, words) => {
    const help = await helpOf(words);
    for (const option of words.filter((word) => word.startsWith('--'))) expect(help).toContain(option);
  });

  it('that are scripts of this tree are there, and so is each bench', () => {
    const text = ALL.map((document) => readFileSync(join(ROOT, document), 'utf8')).join('\n');
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    const named = Array.from(text.matchAll(/`(?:pnpm|npm run) ([a-z][a-z:]*)/g), ([, script = '']) => script);
    expect(named).not.toHaveLength(0);
    expect(Object.keys(scripts)).toEqual(expect.arrayContaining(named));
    const benches = Array.from(text.matchAll(/`pnpm bench ([a-z-]+)`/g), ([, name = '']) => name);
    expect(readdirSync(join(ROOT, 'bench'))).toEqual(expect.arrayContaining(benches));
  });
});
