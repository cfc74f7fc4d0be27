import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CACHE_FOLDER } from './cache.mjs';
import { runCommand } from './command.mjs';

const MINUTE = 60_000;
const DEBIAN = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
const LOCK = ['-o', 'DPkg::Lock::Timeout=300'];

/**
 * Archive areas beside the machine's own: backports has a kernel with the NSM driver, trixie the source of a QEMU with
 * the machine type. In lists of our own, so that the machine's configuration stays as it is.
 */
const SUITES = (mirror) => `deb ${mirror} bookworm-backports main\ndeb-src ${mirror} trixie main\n`;

/** The mirror that the machine itself uses. */
async function mirrorOfMachine() {
  const folder = '/etc/apt/sources.list.d';
  const names = (await readdir(folder).catch(() => [])).map((name) => join(folder, name));
  for (const path of ['/etc/apt/sources.list', ...names]) {
    const text = await readFile(path, 'utf8').catch(() => '');
    const mirror = /^(?:URIs:|deb(?: \[[^\]]*\])?)\s+(\S+\/debian)\/?\s/m.exec(text)?.[1];
    if (mirror !== undefined) return mirror;
  }
  throw new Error('expected a mirror of Debian in the lists of apt, found none');
}

/** Options that point apt at the lists of {@link SUITES}; the lists are fetched on first use. */
async function suiteOptions() {
  const apt = join(CACHE_FOLDER, 'apt');
  const lists = join(apt, 'lists');
  const options = [
    ...['-o', `Dir::Etc::SourceList=${join(apt, 'sources.list')}`],
    ...['-o', 'Dir::Etc::SourceParts=/dev/null'],
    ...['-o', `Dir::State::Lists=${lists}`],
    // A mirror whose index is older than its stated validity still has a signed index.
    ...['-o', 'Acquire::Check-Valid-Until=false'],
    ...['-o', 'APT::Sandbox::User=root'],
  ];
  await mkdir(join(lists, 'partial'), { recursive: true });
  await writeFile(join(apt, 'sources.list'), SUITES(await mirrorOfMachine()));
  await runCommand('apt-get', [...options, 'update', '-qq'], { env: DEBIAN, timeout: 5 * MINUTE });
  return options;
}

let suites;

/** apt with the lists of {@link SUITES}, updated once per run. Signatures and hashes are checked by apt. */
async function aptOfSuites(program, args, cwd) {
  suites ??= suiteOptions();
  return runCommand(program, [...(await suites), ...args], { cwd, env: DEBIAN, timeout: 10 * MINUTE });
}

async function isInstalled(name) {
  const status = await runCommand('dpkg-query', ['-W', '-f', '${Status}', name], { timeout: MINUTE }).catch(() => '');
  return status.toString() === 'install ok installed';
}

/** Installs those of the machine's own suite's packages that are missing. */
export async function installPackages(names) {
  const missing = [];
  for (const name of names) if (!(await isInstalled(name))) missing.push(name);
  if (missing.length === 0) return;
  const install = [...LOCK, 'install', '-y', '-qq', '--no-install-recommends', ...missing];
  await runCommand('apt-get', ['update', '-qq'], { env: DEBIAN, timeout: 5 * MINUTE });
  await runCommand('apt-get', install, { env: DEBIAN, timeout: 10 * MINUTE });
}

/** Unpacks packages of backports into `folder` without installing them. */
export async function unpackFromBackports(names, folder) {
  await aptOfSuites('apt-get', ['download', '-qq', ...names.map((name) => `${name}/bookworm-backports`)], folder);
  await unpackDownloaded(folder);
}

/** Unpacks packages of the machine's own suite into `folder` without installing them. */
export async function unpackPackages(names, folder) {
  await runCommand('apt-get', ['download', '-qq', ...names], { cwd: folder, env: DEBIAN, timeout: 5 * MINUTE });
  await unpackDownloaded(folder);
}

async function unpackDownloaded(folder) {
  const packages = (await readdir(folder)).filter((name) => name.endsWith('.deb'));
  for (const name of packages) await runCommand('dpkg', ['-x', name, '.'], { cwd: folder, timeout: 5 * MINUTE });
}

/** Unpacks the source package `name` of trixie into `folder`/source, which must not be there. */
export async function unpackSource(name, folder) {
  await aptOfSuites('apt-get', ['source', '-qq', '--download-only', name], folder);
  const description = (await readdir(folder)).find((file) => file.endsWith('.dsc'));
  if (description === undefined) throw new Error(`apt-get source ${name}: expected a .dsc file, found none`);
  await runCommand('dpkg-source', ['-x', description, 'source'], { cwd: folder, timeout: 5 * MINUTE });
}

/** Name of the package that the metapackage `name` of backports stands for today, such as the newest kernel. */
export async function dependencyInBackports(name, pattern) {
  const depends = await aptOfSuites('apt-cache', ['depends', `${name}/bookworm-backports`]);
  const found = depends.toString().match(pattern)?.[1];
  if (found === undefined) throw new Error(`${name} of bookworm-backports: expected a dependency like ${pattern}`);
  return found;
}
