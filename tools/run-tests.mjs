// The whole test run, in the order in which a fault is cheapest to find: types, then the project's own rules, then tests.
import { spawnSync } from 'node:child_process';

function run(command, args) {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit', cwd: new URL('..', import.meta.url) });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

run('pnpm', ['--silent', 'build']);
run('pnpm', ['exec', 'vitest', 'run', ...process.argv.slice(2)]);
