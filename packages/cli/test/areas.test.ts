import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import type { CommandContext } from '../src/index.ts';
import { EXIT_CODE, run } from '../src/index.ts';
import { AREAS } from '../src/program.ts';

function contextOf(out: string[], codes: number[]): CommandContext {
  const sink = { write: (text: string | Uint8Array) => out.push(text.toString()) };
  return {
    stdin: (async function* () {})(),
    stdout: sink,
    stderr: sink,
    env: {},
    cwd: '.',
    signal: new AbortController().signal,
    exitWith: (code) => codes.push(code),
  };
}

describe('the areas of the command', () => {
  it.each(AREAS.map(({ command, load }) => ({ command, load })))(
    'register $command alone',
    async ({ command, load }) => {
      const program = new Command();
      (await load())(program, contextOf([], []));
      expect(program.commands.map((registered) => registered.name())).toEqual([command]);
    },
  );

  it('are all listed by --help, and the nearest is named for a word that is none', async () => {
    const out: string[] = [];
    const codes: number[] = [];
    await run(['--help'], contextOf(out, codes));
    for (const { command } of AREAS) expect(out.join('')).toContain(`  ${command} `);
    await run(['eiff', 'measure'], contextOf(out, codes));
    expect(out.join('')).toContain('Did you mean eif?');
    expect(codes).toEqual([EXIT_CODE.OK, EXIT_CODE.USAGE]);
  });
});
