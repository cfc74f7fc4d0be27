// Runs a pnpm script on a machine that may have nothing but Node and npm: fetches the pinned pnpm through npm, installs
// the locked dependencies, then runs `pnpm run <script>`. Usage: node tools/with-pnpm.mjs <script> [-- args]
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const { packageManager } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const [script, ...rest] = process.argv.slice(2);
const args = rest[0] === '--' ? rest.slice(1) : rest;

/** Runs pnpm through npm, which every machine with Node has; ends this process when it fails. */
function pnpm(...pnpmArgs) {
  const { status, error } = spawnSync(
    'npm',
    ['exec', '--yes', `--package=${packageManager}`, '--', 'pnpm', ...pnpmArgs],
    {
      cwd: new URL('..', import.meta.url),
      stdio: 'inherit',
    },
  );
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

pnpm('install', '--frozen-lockfile', '--prefer-offline', '--loglevel=warn');
pnpm('--silent', 'run', script, ...args);
