// The other lines of Node that must pass: each binary comes from npm, which checks its integrity, into a cache outside
// the tree.
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { run } from './run.mjs';

/** The exact version of each line. */
const VERSIONS = { 22: '22.23.3', 24: '24.21.0', 26: '26.10.0' };

const CACHE = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'nitro-enclaves', 'node');

/** The lines to test beside the running Node: those that NODE_LINES names (`22,24`; `` for none), else all. */
export function chosenLines() {
  const running = process.versions.node.split('.')[0];
  const wanted = process.env.NODE_LINES?.split(',').filter(Boolean) ?? Object.keys(VERSIONS);
  const unknown = wanted.filter((line) => !(line in VERSIONS) && line !== running);
  if (unknown.length > 0) throw new RangeError(`expected NODE_LINES of ${Object.keys(VERSIONS)}, found ${unknown}`);
  return wanted.filter((line) => line !== running);
}

/** The folder of a line's `node` program, fetched when the cache has none. */
export async function binaryFolder(line) {
  const name = `node-linux-${process.arch}`;
  const version = VERSIONS[line];
  const folder = join(CACHE, version);
  const bin = join(folder, 'node_modules', name, 'bin');
  if (existsSync(join(bin, 'node'))) return bin;
  mkdirSync(CACHE, { recursive: true });
  // Installed aside and renamed whole: a run that was cut off leaves no half of a program behind.
  const aside = mkdtempSync(join(CACHE, `${version}-`));
  const { status, output } = await run(
    'npm',
    ['install', '--prefix', aside, '--no-save', '--no-audit', '--no-fund', '--ignore-scripts', `${name}@${version}`],
    { quiet: true, cwd: aside },
  );
  if (status !== 0) throw new Error(`Node ${version} could not be fetched through npm:\n${output}`);
  rmSync(folder, { recursive: true, force: true });
  renameSync(aside, folder);
  return bin;
}
