// Checks that other programs make: format and lint, types, dead code.
import { run } from '../run.mjs';

/** A check that is one program's run: its output is the account of what is wrong. */
function program(...args) {
  return async () => {
    const env = { ...process.env, NO_COLOR: '1', FORCE_COLOR: undefined };
    const { status, output } = await run('pnpm', ['exec', ...args], { quiet: true, env });
    return status === 0 ? [] : [output.trim() || `${args.join(' ')} ended with status ${status}`];
  };
}

/** Format and lint of every file. */
export const formatAndLint = program(
  'biome',
  'ci',
  '--colors=off',
  '--diagnostic-level=error',
  '--max-diagnostics=50',
  '.',
);

/** Types of every source and test. */
export const types = program('tsc', '-b');

/** Files, exports and dependencies that nothing uses, and dependencies used but not declared. */
export const deadCode = program('knip', '--no-progress');
