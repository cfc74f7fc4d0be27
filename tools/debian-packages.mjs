// Debian packages that parts of the tests need, installed where they are missing and we may: as root, on Debian, never
// asking anything. Elsewhere the tests that need them skip and say so.
import { existsSync } from 'node:fs';
import { run } from './run.mjs';

const ATTEMPTS = 3;

async function isInstalled(name) {
  const { status, output } = await run('dpkg-query', ['--show', '--showformat=${Status}', name], { quiet: true });
  return status === 0 && output === 'install ok installed';
}

function apt(...args) {
  // No service that comes with a package is started: tests start what they need.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', SYSTEMD_OFFLINE: '1' };
  const patient = ['-o', 'DPkg::Lock::Timeout=300', '-o', 'Acquire::Retries=3'];
  return run('apt-get', ['--quiet', '--yes', ...patient, ...args], { quiet: true, env });
}

/**
 * Installs those of `names` that are missing.
 * @returns {Promise<string | undefined>} why they could not be installed; nothing when all are there.
 */
export async function installDebianPackages(...names) {
  if (!existsSync('/usr/bin/apt-get')) return 'this is no Debian';
  const missing = [];
  for (const name of names) if (!(await isInstalled(name))) missing.push(name);
  if (missing.length === 0) return undefined;
  if (process.getuid?.() !== 0) return `root must install ${missing.join(', ')}`;
  let output = '';
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    await apt('update');
    const result = await apt('install', '--no-install-recommends', ...missing);
    if (result.status === 0) return undefined;
    output = result.output;
  }
  return `apt-get could not install ${missing.join(', ')}: ${output.trim().split('\n').at(-1)}`;
}
