import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { EmulatorError } from '../error.ts';
import type { Program } from './program.ts';

/** How far this machine can keep an enclave to itself. */
export interface Isolation {
  /** User, mount, process and network namespaces: a root of its own, and no network but the transport. */
  readonly namespaces: boolean;
  /** What is missing, for people; `undefined` when nothing is. */
  readonly warning: string | undefined;
}

/** How to start a process. */
export interface SpawnPlan {
  readonly file: string;
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

const FOLDERS = ['/usr/sbin', '/usr/bin', '/sbin', '/bin'];
/** The tools' own search path; the enclave has its image's. */
const TOOLS_PATH = FOLDERS.join(':');

function findTool(name: string): string | undefined {
  return FOLDERS.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

const NAMESPACES = ['--user', '--map-root-user', '--net', '--mount', '--pid', '--fork', '--kill-child'];

/** Far more than it takes; a machine that stalls is not to stall the emulator. */
const PROBE_MS = 10_000;

/** Tries it: whether user namespaces are allowed depends on the kernel, the distribution and the container. */
export function probeIsolation(): Promise<Isolation> {
  const unshare = findTool('unshare');
  if (unshare === undefined) return Promise.resolve(withoutNamespaces('expected unshare (of util-linux), found none'));
  const probe = [...NAMESPACES, '--', '/bin/sh', '-c', 'exit 0'];
  return new Promise((resolve) => {
    execFile(unshare, probe, { timeout: PROBE_MS }, (error, _stdout, stderr) => {
      if (error === null) resolve({ namespaces: true, warning: undefined });
      else resolve(withoutNamespaces(stderr.trim() || 'the kernel allows no user namespaces'));
    });
  });
}

function withoutNamespaces(reason: string): Isolation {
  const warning = `enclaves run with this machine's network and files, unlike real ones: ${reason}`;
  return { namespaces: false, warning };
}

/** Where an enclave with a root of its own finds its place; on a file system in memory. */
const PLACE_IN_ROOT = '/run/nitro-enclaves';

/** Brings up the loopback interface where there is a tool for it, as our init does in an image. */
const LOOPBACK = 'ip link set lo up 2>/dev/null';

/** $1: the enclave's folder, $2: the folder of sockets, $3: the root; then what to run, for env. */
const ENTER_ROOT = `set -e
${LOOPBACK} || true
place=$1 sockets=$2 root=$3
shift 3
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc" 2>/dev/null || mount --rbind /proc "$root/proc"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t tmpfs -o mode=0755 tmpfs "$root/run"
mkdir -p "$root${PLACE_IN_ROOT}/enclave" "$root${PLACE_IN_ROOT}/vsock"
mount --bind "$place" "$root${PLACE_IN_ROOT}/enclave"
mount --bind "$sockets" "$root${PLACE_IN_ROOT}/vsock"
exec env -i -- "$@"`;

const KEEP_ROOT = `${LOOPBACK}
exec env -i -- "$@"`;

/** Where an enclave's files are on this machine. */
export interface EnclaveFolders {
  /** The enclave's own folder. */
  readonly place: string;
  /** The folder of the sockets that stand for vsock. */
  readonly sockets: string;
}

/** The value of NITRO_ENCLAVES_EMULATOR as the program in `root` sees its folder. */
export function placeSeenFrom(program: Program, { place }: EnclaveFolders): string {
  return program.root === undefined ? place : `${PLACE_IN_ROOT}/enclave`;
}

/** Runs what follows unless process $1 ended before its death could be told: then it is our parent no more. */
const WITH_PARENT = '[ "$PPID" = "$1" ] || exit 1; shift; exec "$@"';

/** Ends the enclave with the emulator, however that ends. */
function withParentDeath({ file, arguments: given, environment }: SpawnPlan): SpawnPlan {
  const setpriv = findTool('setpriv');
  if (setpriv === undefined) return { file, arguments: given, environment };
  const shell = ['/bin/sh', '-c', WITH_PARENT, 'sh', String(process.pid)];
  return { file: setpriv, arguments: ['--pdeathsig', 'KILL', ...shell, file, ...given], environment };
}

function planInRoot(program: Program, root: string, folders: EnclaveFolders, unshare: string): SpawnPlan {
  const { place, sockets } = folders;
  const script = ['/bin/sh', '-c', ENTER_ROOT, 'sh', place, sockets, root];
  // The environment is set before the root changes: the image need not have a program for it.
  const changeRoot = [unshare, `--root=${root}`, `--wd=${program.workingDirectory}`, '--'];
  return {
    file: unshare,
    arguments: [...NAMESPACES, '--', ...script, ...program.environment, ...changeRoot, ...program.command],
    environment: { PATH: TOOLS_PATH },
  };
}

/** The command for env, which takes a word with `=` for a variable: such a path is another program's argument. */
function commandForEnv({ command }: Program): readonly string[] {
  const [executable = ''] = command;
  if (!executable.includes('=')) return command;
  const nice = findTool('nice');
  if (nice !== undefined) return [nice, '-n', '0', ...command];
  throw new EmulatorError('EMULATOR_COMMAND', `expected nice (of coreutils), which ${executable} needs, found none`);
}

/**
 * How to start `program` with as much isolation as there is. Its environment is exactly the given one.
 * @throws {EmulatorError} `EMULATOR_NAMESPACES` when it has a root of its own and there are no namespaces.
 */
export function planSpawn(program: Program, folders: EnclaveFolders, { namespaces }: Isolation): SpawnPlan {
  const unshare = findTool('unshare');
  if (program.root !== undefined) {
    if (namespaces && unshare !== undefined)
      return withParentDeath(planInRoot(program, program.root, folders, unshare));
    throw new EmulatorError(
      'EMULATOR_NAMESPACES',
      'expected user and mount namespaces, which an image needs for a root of its own, found none: run the command itself (-- command), or allow them (sysctl kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns)',
    );
  }
  const run = [...program.environment, ...commandForEnv(program)];
  if (!namespaces || unshare === undefined) {
    return withParentDeath({
      file: '/usr/bin/env',
      arguments: ['-i', '--', ...run],
      environment: { PATH: TOOLS_PATH },
    });
  }
  return withParentDeath({
    file: unshare,
    arguments: [...NAMESPACES, '--', '/bin/sh', '-c', KEEP_ROOT, 'sh', ...run],
    environment: { PATH: TOOLS_PATH },
  });
}
