import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const INIT_FOLDER = fileURLToPath(new URL('../../init', import.meta.url));
const TEST_FOLDER = fileURLToPath(new URL('.', import.meta.url));
const ARCHITECTURE = process.arch === 'arm64' ? 'aarch64' : 'x86_64';

/** The init as it is shipped, for this machine. */
export const SHIPPED_INIT = join(INIT_FOLDER, 'prebuilt', `init-${ARCHITECTURE}`);

const FREESTANDING = [
  ...['-std=c11', '-Os', '-ffreestanding', '-fno-tree-loop-distribute-patterns', '-fno-stack-protector'],
  ...['-fno-pie', '-no-pie', '-static', '-nostdlib', '-nostartfiles', `-I${INIT_FOLDER}`],
];

function succeeds(command: string, args: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

/** Why the init cannot be run here; `undefined` when it can. */
export function whyNoEnclave(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'needs Linux and root';
  if (!['x64', 'arm64'].includes(process.arch)) return 'needs an x86_64 or aarch64 machine';
  if (!succeeds('unshare', ['--mount', '--pid', '--fork', '--net', '--uts', 'true']))
    return 'needs unshare(1), allowed';
  if (!succeeds('gcc', ['--version']) || !succeeds('sh', ['-c', 'test -e "$(gcc -print-file-name=libc.a)"'])) {
    return 'needs gcc and a static C library (apt-get install gcc libc6-dev)';
  }
  return undefined;
}

const EMULATOR = '/usr/bin/qemu-aarch64-static';

/** Why the aarch64 init cannot be run on this x86_64 machine; `undefined` when it can. */
export function whyNoAarch64(): string | undefined {
  if (process.arch !== 'x64') return 'needs an x86_64 machine';
  return existsSync(EMULATOR) ? undefined : 'needs qemu-aarch64-static (apt-get install qemu-user-static)';
}

/** What an init in namespaces of its own has left behind. */
export interface EndedEnclave {
  readonly stdout: string;
  readonly console: string;
  /** How process 1 ended: SIGHUP is what reboot(2) with "restart" does in a PID namespace. */
  readonly signal: NodeJS.Signals | null;
}

/** A folder for programs built for the tests, and for the root of an "enclave": process 1 of its own namespaces. */
export class TestEnclave {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'init-'));
  readonly root: string = join(this.folder, 'root');

  constructor() {
    execFileSync('gcc', ['-O1', '-static', '-o', join(this.folder, 'probe'), join(TEST_FOLDER, 'probe.c')]);
    const replaced = readdirSync(TEST_FOLDER).filter((name) => name.endsWith('.c') && name !== 'probe.c');
    const sources = readdirSync(INIT_FOLDER)
      .filter((name) => name.endsWith('.c'))
      .map((name) => join(replaced.includes(name) ? TEST_FOLDER : INIT_FOLDER, name));
    execFileSync('gcc', [...FREESTANDING, '-o', this.testInit, ...sources]);
  }

  /** The init with a parent and an NSM for tests. */
  get testInit(): string {
    return join(this.folder, 'test-init');
  }

  /** Makes the root anew, with this program as the init. */
  prepare(init: string): void {
    rmSync(this.root, { recursive: true, force: true });
    for (const name of ['dev', 'proc', 'parent', 'rootfs/tmp', 'rootfs/run', 'rootfs/srv', 'rootfs/parent']) {
      mkdirSync(join(this.root, name), { recursive: true });
    }
    copyFileSync(init, join(this.root, 'init'));
    copyFileSync(join(this.folder, 'probe'), join(this.root, 'rootfs/probe'));
  }

  /** As {@link TestEnclave.prepare}, with the shipped init for aarch64, which an emulator will run. */
  prepareAarch64(): void {
    this.prepare(prebuilt('aarch64'));
    copyFileSync(EMULATOR, join(this.root, 'emulator'));
  }

  /** Writes settings as the builder does, and runs the init to its end. */
  async run(records: readonly string[], boot: readonly string[] = []): Promise<EndedEnclave> {
    writeFileSync(join(this.root, 'app.conf'), records.map((record) => `${record}\0`).join(''));
    if (boot.length > 0) writeFileSync(join(this.root, 'boot.conf'), boot.map((record) => `${record}\0`).join(''));
    const namespaces = [
      '--mount',
      '--pid',
      '--fork',
      '--net',
      '--uts',
      '--ipc',
      '--kill-child',
      '--propagation',
      'private',
    ];
    const init = existsSync(join(this.root, 'emulator')) ? ['/emulator', '/init'] : ['/init'];
    const child = spawn('unshare', [...namespaces, 'chroot', this.root, ...init], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const output = { stdout: '', console: '' };
    child.stdout.on('data', (piece: Buffer) => {
      output.stdout += piece.toString();
    });
    child.stderr.on('data', (piece: Buffer) => {
      output.console += piece.toString();
    });
    const signal = await new Promise<NodeJS.Signals | null>((resolve) => child.once('close', (_, by) => resolve(by)));
    return { ...output, signal };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }
}

/** Whether this machine has a compiler for the CPU, of the version that made the committed binaries. */
export function whyNoRebuild(architecture: string): string | undefined {
  const compiler = `${architecture}-linux-gnu-gcc`;
  const { status, stdout } = spawnSync(compiler, ['--version'], { encoding: 'utf8' });
  if (status !== 0)
    return `needs ${compiler} (Debian 12: apt-get install gcc-${architecture.replace('_', '-')}-linux-gnu)`;
  const [line = ''] = stdout.split('\n');
  return line.includes('(Debian 12.2.0-14') ? undefined : `needs Debian 12's gcc 12.2.0-14, found "${line}"`;
}

/** Builds the init again, elsewhere. */
export function rebuild(architecture: string, folder: string): string {
  if (!existsSync(folder)) mkdirSync(folder);
  execFileSync(process.execPath, [join(INIT_FOLDER, 'build.mjs'), folder, architecture], { cwd: tmpdir() });
  return join(folder, `init-${architecture}`);
}

export function prebuilt(architecture: string): string {
  return join(INIT_FOLDER, 'prebuilt', `init-${architecture}`);
}
