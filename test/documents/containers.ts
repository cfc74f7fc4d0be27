// Images of containers without Docker: buildah builds them in a folder of its own. The base images that Dockerfiles name come
// from no registry: each is this machine's Debian (its essential packages) with this machine's Node, under their name. The one
// of Amazon Linux has a dnf that takes the packages which the Dockerfiles install, and installs nothing.
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { outputOf } from './output-of.ts';

/** Beside the essential packages: what Node is linked with, and whom npm trusts. */
const PACKAGES = ['libstdc++6', 'ca-certificates'];
/** Debian's merged folders: links at the top, into /usr. */
const MERGED = ['bin', 'sbin', 'lib', 'lib64'];
/** npm of the Node that runs: the folder of its package. */
const NPM: string = join(dirname(dirname(realpathSync(process.execPath))), 'lib', 'node_modules', 'npm');
const UNUSED = /^\/usr\/share\/(?:doc|man|locale|info)\//;

/** Twice what the layers of all Dockerfiles and the copies of the tree were seen to take, in GiB. */
const ROOM_GIB = 8;

/** Why no container can be built on this machine; `undefined` when one can. */
export function whyNoContainers(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root';
  if (spawnSync('buildah', ['--version']).status !== 0) return 'needs buildah';
  if (spawnSync('dpkg-query', ['--show', ...PACKAGES]).status !== 0) return 'needs Debian';
  if (!existsSync(NPM)) return `needs npm in ${NPM}`;
  const { bavail, bsize } = statfsSync(tmpdir());
  const free = Math.floor((bavail * bsize) / 2 ** 30);
  return free < ROOM_GIB ? `needs ${ROOM_GIB} GiB in ${tmpdir()}, found ${free}` : whyNoneRuns();
}

/** Tries it: what a container may do here depends on the kernel, and on the container that this may be. */
function whyNoneRuns(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'container-probe-'));
  const libraries = outputOf('ldd', ['/bin/true']).match(/\/\S+/g) ?? [];
  outputOf('cp', ['--parents', '-L', '/bin/true', ...libraries, folder]);
  writeFileSync(join(folder, 'Dockerfile'), 'FROM scratch\nCOPY . /\nRUN ["/bin/true"]\n');
  const storage = ['--root', `${folder}-images`, '--runroot', `${folder}-run`];
  const { status, stderr } = spawnSync('buildah', [...storage, 'build', '--isolation', 'chroot', folder], {
    encoding: 'utf8',
  });
  for (const made of [folder, `${folder}-images`, `${folder}-run`]) rmSync(made, { recursive: true, force: true });
  return status === 0 ? undefined : `needs containers that buildah can run: ${stderr.trim().slice(-300)}`;
}

const linesOf = (text: string): string[] => text.split('\n').filter(Boolean);

/** The essential packages and {@link PACKAGES}, with everything that they depend on, as far as it is installed. */
function basePackages(): string[] {
  const installed = linesOf(
    outputOf('dpkg-query', ['--show', '--showformat', '${Essential} ${db:Status-Status} ${Package}\n']),
  )
    .map((line) => line.split(' '))
    .filter(([, status]) => status === 'installed');
  const names = new Set(installed.map(([, , name]) => name));
  const essential = installed.flatMap(([isEssential, , name = '']) => (isEssential === 'yes' ? [name] : []));
  const only = ['recommends', 'suggests', 'conflicts', 'breaks', 'replaces', 'enhances'].map((kind) => `--no-${kind}`);
  const closure = outputOf('apt-cache', ['depends', '--recurse', ...only, ...essential, ...PACKAGES]);
  return [...new Set(linesOf(closure))].filter((name) => names.has(name)).sort();
}

/** Makes a root file system: Debian's packages as they are installed here, and Node with npm in /usr/local. */
function makeRoot(root: string): void {
  for (const name of MERGED) mkdirSync(join(root, 'usr', name), { recursive: true });
  const files = linesOf(outputOf('dpkg-query', ['--listfiles', ...basePackages()]));
  const wanted = [...new Set(files)].filter((path) => path.length > 2 && !UNUSED.test(path) && existsSync(path));
  const pipe = 'tar -C / --no-recursion --null -T - -cf - | tar -C "$1" -xf -';
  outputOf('bash', ['-c', pipe, 'bash', root], { input: wanted.map((path) => `${path.slice(1)}\0`).join('') });
  mkdirSync(join(root, 'usr/local/bin'), { recursive: true });
  mkdirSync(join(root, 'usr/local/lib/node_modules'), { recursive: true });
  outputOf('cp', ['-L', process.execPath, join(root, 'usr/local/bin/node')]);
  outputOf('cp', ['-a', NPM, join(root, 'usr/local/lib/node_modules')]);
  for (const name of ['npm', 'npx'])
    outputOf('ln', ['-s', `../lib/node_modules/npm/bin/${name}-cli.js`, join(root, 'usr/local/bin', name)]);
}

const BASE_DOCKERFILE = `FROM scratch
COPY root/ /
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt npm_config_prefer_offline=true
`;

const NODE_IMAGE = 'docker.io/library/node:24-bookworm-slim';
const AMAZON_LINUX_IMAGE = 'public.ecr.aws/amazonlinux/amazonlinux:2023';

const AMAZON_LINUX_DOCKERFILE = `FROM ${NODE_IMAGE}
COPY dnf /usr/local/bin/dnf
`;
const DNF = `#!/bin/sh
case "$*" in
  'install -y aws-nitro-enclaves-cli nodejs22 nodejs22-npm' | 'clean all') exit 0 ;;
esac
echo "dnf: not among the packages that are known to be Amazon Linux's: $*" >&2
exit 1
`;

/** Where packages are installed from: this machine's configuration of npm, and what it has fetched already. */
function volumes(npmConfiguration: string): string[] {
  const home = homedir();
  const pnpmStore = join(process.env['XDG_DATA_HOME'] ?? join(home, '.local', 'share'), 'pnpm');
  const mounts = [
    [join(home, '.npm'), '/root/.npm'],
    [pnpmStore, '/root/.local/share/pnpm'],
    [npmConfiguration, '/root/.npmrc:ro'],
    ['/etc/ssl/certs', '/etc/ssl/certs:ro'],
  ];
  return mounts.flatMap(([from = '', to = '']) => (existsSync(from) ? ['--volume', `${from}:${to}`] : []));
}

/** From where npm gets packages on this machine, in whatever way it was told. */
function machinesNpmConfiguration(): string {
  const file = join(homedir(), '.npmrc');
  const own = existsSync(file) ? readFileSync(file, 'utf8') : '';
  return `${own}\nregistry=${outputOf('npm', ['config', 'get', 'registry']).trim()}`;
}

/** Images in a folder, with the base images of the Dockerfiles. */
export class Containers {
  readonly folder: string;

  /** `npmConfiguration`: lines of npm's configuration file for what is built, beside this machine's own. */
  constructor(folder: string, npmConfiguration: string) {
    this.folder = folder;
    writeFileSync(this.#npmConfiguration, `${machinesNpmConfiguration()}\n${npmConfiguration}`, { mode: 0o600 });
    const context = join(folder, 'base');
    makeRoot(join(context, 'root'));
    writeFileSync(join(context, 'dnf'), DNF, { mode: 0o755 });
    this.#build(context, NODE_IMAGE, BASE_DOCKERFILE);
    this.#build(context, AMAZON_LINUX_IMAGE, AMAZON_LINUX_DOCKERFILE);
    rmSync(context, { recursive: true });
  }

  get #npmConfiguration(): string {
    return join(this.folder, 'npmrc');
  }

  #build(context: string, name: string, dockerfile: string): void {
    writeFileSync(join(context, 'Dockerfile'), dockerfile);
    this.#buildah('build', '--isolation', 'chroot', '--layers', '--pull-never', '--quiet', '--tag', name, context);
  }

  /** Variables of the stand-in for docker. */
  get env(): Record<string, string> {
    return { CONTAINERS: this.folder, CONTAINER_VOLUMES: volumes(this.#npmConfiguration).join(' ') };
  }

  #buildah(...args: string[]): string {
    return outputOf('buildah', ['--root', join(this.folder, 'images'), '--runroot', join(this.folder, 'run'), ...args]);
  }

  /** What is still mounted when a build was stopped in the middle would stand in the way of removing the folder. */
  close(): void {
    const mounted = linesOf(readFileSync('/proc/self/mounts', 'utf8'))
      .map((line) => line.split(' ')[1] ?? '')
      .filter((path) => path.startsWith(`${this.folder}/`));
    for (const path of mounted.reverse()) spawnSync('umount', ['--lazy', path]);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
