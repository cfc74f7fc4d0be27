// The tree itself: every script of package.json exists, nothing in it belongs to one machine, every package is listed
// and explained.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, run } from '../run.mjs';
import { manifestOf, packageFolders } from '../workspace.mjs';

async function filesOfTheTree() {
  const { output } = await run('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { quiet: true });
  return output
    .split('\n')
    .filter((file) => file !== '' && existsSync(join(ROOT, file)))
    .map((file) => ({ file, bytes: readFileSync(join(ROOT, file)) }))
    .filter(({ bytes }) => !bytes.subarray(0, 8192).includes(0))
    .map(({ file, bytes }) => ({ file, text: bytes.toString('utf8') }));
}

/** Hosts from which this very machine installs packages: they are its business, not the project's. */
async function registryHosts() {
  const { output } = await run('npm', ['config', 'get', 'registry'], { quiet: true });
  const lists = ['/etc/apt/sources.list', '/etc/apt/sources.list.d/debian.sources'].filter((file) => existsSync(file));
  const urls = [output, ...lists.map((file) => readFileSync(file, 'utf8'))]
    .join('\n')
    .matchAll(/https?:\/\/([^\s/:]+)/g);
  return [...new Set(Array.from(urls, ([, host]) => host))];
}

const MACHINE_PATHS = /(?:^|[\s'"`(=:])\/(?:home\/\w+|Users\/\w+|work\/\w+|tmp\/[\w.-]*\d{4,})/m;

/** Paths and package hosts of one machine: nobody else's tree would work, and they tell about the machine. */
export async function noMachineTraces() {
  const hosts = await registryHosts();
  return (await filesOfTheTree()).flatMap(({ file, text }) => {
    const path = MACHINE_PATHS.exec(text)?.[0].trim();
    return [
      ...(path === undefined ? [] : [`${file}: found a path of one machine, ${path}`]),
      ...hosts.filter((host) => text.includes(host)).map(() => `${file}: found the host of a package registry`),
    ];
  });
}

/** Every file that a script of package.json runs. A script whose file is missing fails only when somebody needs it. */
export async function scriptsExist() {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  return Object.entries(scripts).flatMap(([name, script]) =>
    Array.from(script.matchAll(/\bnode ([\w./-]+\.\w+)/g), ([, file]) => file)
      .filter((file) => !existsSync(join(ROOT, file)))
      .map((file) => `the script ${name} runs ${file}, which does not exist`),
  );
}

function readIfThere(file) {
  return existsSync(join(ROOT, file)) ? readFileSync(join(ROOT, file), 'utf8') : '';
}

/** The documents that a newcomer looks for, and every package named on the first page. */
export async function documents() {
  const wanted = ['README.md', 'ARCHITECTURE.md', 'SECURITY.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'LICENSE'];
  const readme = readIfThere('README.md');
  return [
    ...wanted.filter((file) => !existsSync(join(ROOT, file))).map((file) => `${file} does not exist`),
    ...packageFolders()
      .map((folder) => manifestOf(folder).name)
      .filter((name) => !readme.includes(name))
      .map((name) => `README.md does not name ${name}`),
  ];
}

/** Every error code that a package declares stands in its README. */
export async function errorCodesExplained() {
  const sources = (await filesOfTheTree()).filter(({ file }) => /^packages\/\w+\/src\/.*\.ts$/.test(file));
  return sources.flatMap(({ file, text }) => {
    const readme = readIfThere(join(...file.split('/').slice(0, 2), 'README.md'));
    return Array.from(text.matchAll(/\btype \w*ErrorCode\s*=((?:\s*\|?\s*'\w+')+)/g), ([, union]) => union)
      .flatMap((union) => Array.from(union.matchAll(/'(\w+)'/g), ([, code]) => code))
      .filter((code) => !new RegExp(`\\b${code}\\b`).test(readme))
      .map((code) => `${file}: the package's README does not explain ${code}`);
  });
}
