// A stand-in for an EC2 instance on which the documents' commands run as they are written: the parent is an emulator's, the
// AWS CLI is the genuine one, KMS is emulated, nitro-cli's command lines are checked and done by the emulator, docker is
// buildah; dnf, usermod and systemctl are the genuine ones, with the instance's own root folder.
import type { ChildProcess } from 'node:child_process';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import type { Emulator } from '@nitro-enclaves/emulator';
import { startControlServer, startEmulator } from '@nitro-enclaves/emulator';
import { parse } from 'yaml';
import { probeIsolation } from '../../packages/emulator/src/hypervisor/isolation.ts';
import { ROOT } from '../../tools/run.mjs';
import type { CodeBlock } from '../readme/code-blocks.ts';
import { buildPackages } from './packages.ts';
import { copyTree, fileOfDocuments } from './tree-copy.ts';

const STAND_INS = fileOfDocuments('stand-ins');
const AWS_CLI = '/usr/bin/aws';
const PROGRAMS = [
  AWS_CLI,
  ...['jq', 'openssl', 'curl', 'dnf', 'rpmbuild', 'createrepo_c', 'systemctl'].map((name) => `/usr/bin/${name}`),
  '/usr/sbin/usermod',
];
const SESSION_MS = 900_000;
const ACCOUNT = '111122223333';
const REGION = 'eu-west-1';

/** Folders of the system that the documents name, which are in the instance's own root here. */
const SYSTEM_FOLDERS = ['/etc/nitro_enclaves', '/usr/share/nitro_enclaves'];

/** What the genuine dnf reads in the root that it installs into; `repository` is a folder. */
const dnfConfiguration = (repository: string): Record<string, string> => ({
  '/etc/dnf/dnf.conf': '[main]\ngpgcheck=0\n',
  '/etc/yum.repos.d/amazonlinux.repo': `[amazonlinux]\nname=Amazon Linux 2023\nbaseurl=file://${repository}\n`,
});

const ACCOUNTS = {
  '/etc/passwd': 'root:x:0:0::/root:/bin/sh\nec2-user:x:1000:1000::/:/bin/sh\n',
  '/etc/group': 'root:x:0:\nec2-user:x:1000:\n',
};

/** Why no instance can be stood in for on this machine; `undefined` when one can. */
export async function whyNoInstance(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'needs root';
  if (!(await probeIsolation()).namespaces) return 'needs user namespaces, which this kernel does not allow';
  if (spawnSync('unshare', ['--mount', 'true']).status !== 0) return 'needs mount namespaces';
  const missing = PROGRAMS.filter((program) => !existsSync(program));
  return missing.length === 0 ? undefined : `needs ${missing.join(', ')}`;
}

/** How a session has ended. */
export interface SessionEnd {
  readonly status: number | null;
  /** Of both streams, and before each block where it stands. */
  readonly output: string;
}

/** Options of {@link Instance.run}. */
export interface SessionOptions {
  /** Commands of the test itself: before the first block with a mark, and after all; the instance goes on serving meanwhile. */
  readonly before?: Readonly<Record<string, string>>;
  readonly afterwards?: string;
  /** Further variables. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Ends a process and everything that it has left in the background. */
function endGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nothing of it runs any more.
  }
}

/** A parent of the emulator with the programs of an instance, and a tree to work in. */
export class Instance implements AsyncDisposable {
  readonly emulator: Emulator;
  readonly folder: string;
  /** A copy of the tree: where sessions start. */
  readonly tree: string;
  readonly #repository: string;
  readonly #close: () => Promise<void>;
  readonly #audit: Record<string, unknown>[];

  private constructor(parts: {
    emulator: Emulator;
    folder: string;
    audit: Record<string, unknown>[];
    close: () => Promise<void>;
  }) {
    this.emulator = parts.emulator;
    this.folder = parts.folder;
    this.tree = join(parts.folder, 'tree');
    this.#repository = buildPackages(join(parts.folder, 'packages'));
    this.#audit = parts.audit;
    this.#close = parts.close;
  }

  static async start(): Promise<Instance> {
    const folder = mkdtempSync(join(tmpdir(), 'instance-'));
    const audit: Record<string, unknown>[] = [];
    const emulator = await startEmulator({
      region: REGION,
      roleArn: `arn:aws:iam::${ACCOUNT}:role/enclave-parent`,
      folder: join(folder, 'emulator'),
      kms: {
        accountId: ACCOUNT,
        audit: (line) => {
          audit.push(JSON.parse(line));
          appendFileSync(join(folder, 'audit'), `${line}\n`);
        },
      },
    });
    const control = await startControlServer(emulator);
    const instance = new Instance({
      emulator,
      folder,
      audit,
      close: async () => {
        await control.close();
        await emulator.close();
        rmSync(folder, { recursive: true, force: true });
      },
    });
    instance.reset();
    instance.#writeCertificates();
    copyTree(instance.tree);
    return instance;
  }

  #writeCertificates(): void {
    const { kms, folder, rootCertificate } = this.emulator;
    const own = process.env['NODE_EXTRA_CA_CERTS'];
    const others = own !== undefined && existsSync(own) ? readFileSync(own, 'utf8') : '';
    writeFileSync(join(this.folder, 'authorities.pem'), `${kms?.ca}\n${others}`);
    const base64 = Buffer.from(rootCertificate).toString('base64');
    writeFileSync(join(folder, 'root.pem'), `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`);
  }

  /** What KMS was asked, in CloudTrail's form. */
  get audit(): readonly Record<string, unknown>[] {
    return this.#audit;
  }

  /** What the allocator's service was told to set aside, once it was started. */
  get allocation(): { readonly memory_mib: number; readonly cpu_count: number } | undefined {
    const noted = '/run/nitro_enclaves.yaml';
    return existsSync(this.pathOf(noted)) ? parse(this.read(noted)) : undefined;
  }

  /** Makes it an instance that has just been started: with an account, and none of nitro-cli's packages. */
  reset(): void {
    rmSync(this.pathOf('/'), { recursive: true, force: true });
    mkdirSync(this.pathOf('/run'), { recursive: true });
    for (const [path, content] of Object.entries({ ...ACCOUNTS, ...dnfConfiguration(this.#repository) })) {
      mkdirSync(dirname(this.pathOf(path)), { recursive: true });
      this.write(path, content);
    }
  }

  /** Where a file is: one that documents have, by its path from the root, or one of the instance's own folder. */
  pathOf(path: string): string {
    return join(this.folder, path.startsWith('/') ? 'root' : '', path);
  }

  /** Puts a file where the documents have it. */
  write(path: string, content: string): void {
    writeFileSync(this.pathOf(path), this.#localized(content));
  }

  /** A file of the instance, by the path that the documents have for it. */
  read(path: string): string {
    return this.readBytes(path).toString('utf8');
  }

  /** The bytes of such a file. */
  readBytes(path: string): Buffer {
    return readFileSync(this.pathOf(path));
  }

  /** Runs blocks one after the other in one shell, from the root of the tree; ends their processes and enclaves. */
  async run(
    blocks: readonly CodeBlock[],
    { before = {}, afterwards = '', env = {} }: SessionOptions = {},
  ): Promise<SessionEnd> {
    const script = join(this.folder, 'session.sh');
    const unprepared = new Map(Object.entries(before));
    const preparation = (mark: string): string => {
      const commands = unprepared.get(mark) ?? '';
      unprepared.delete(mark);
      return commands;
    };
    const code = blocks.flatMap(({ place, marks, code }) => [
      ...marks.map(preparation),
      `echo '== ${place}' >&2`,
      this.#localized(code),
    ]);
    writeFileSync(script, [...code, afterwards].join('\n'));
    const hosts = join(this.folder, 'hosts');
    writeFileSync(hosts, `${readFileSync('/etc/hosts', 'utf8')}\n127.0.0.1 www.example.com\n`);
    const enter = 'mount --bind "$1" /etc/hosts && exec bash -euo pipefail -O expand_aliases "$2"';
    const session = spawn('unshare', ['--mount', 'sh', '-c', enter, 'sh', hosts, script], {
      cwd: this.tree,
      env: { ...this.#environment(), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    let output = '';
    for (const stream of [session.stdout, session.stderr])
      stream.on('data', (bytes) => {
        output += bytes;
      });
    const closed = once(session, 'close');
    const timer = setTimeout(() => endGroup(session), SESSION_MS);
    const [status]: (number | null)[] = await once(session, 'exit');
    clearTimeout(timer);
    endGroup(session);
    await closed;
    for (const { enclaveId } of this.emulator.enclaves) await this.emulator.terminateEnclave(enclaveId);
    this.#tidy();
    return { status: status ?? null, output };
  }

  /** Removes what a session has left in the tree, but for what it has installed: the next one begins as from a clone. */
  #tidy(): void {
    for (const name of readdirSync(this.tree))
      if (name !== 'node_modules' && !existsSync(join(ROOT, name)))
        rmSync(join(this.tree, name), { recursive: true, force: true });
  }

  #localized(code: string): string {
    return SYSTEM_FOLDERS.reduce((text, path) => text.replaceAll(path, this.pathOf(path)), code);
  }

  #environment(): NodeJS.ProcessEnv {
    const { kms } = this.emulator;
    const authorities = join(this.folder, 'authorities.pem');
    return {
      ...process.env,
      PATH: [STAND_INS, this.pathOf('global/bin'), process.env['PATH'], this.pathOf('/usr/bin')].join(delimiter),
      USER: 'ec2-user',
      TMPDIR: tmpdir(),
      npm_config_globalconfig: join(this.folder, 'npmrc'),
      npm_config_prefix: join(this.folder, 'global'),
      NODE: process.execPath,
      TREE: this.tree,
      INSTANCE: this.folder,
      INSTANCE_ROOT: this.pathOf('/'),
      STAND_INS,
      NITRO_ENCLAVES_EMULATOR_FOLDER: this.emulator.folder,
      AWS_CLI,
      AWS_CONFIG_FILE: '/dev/null',
      AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_PAGER: '',
      AWS_REGION: REGION,
      AWS_ENDPOINT_URL_KMS: kms?.endpoint,
      AWS_CA_BUNDLE: authorities,
      NODE_EXTRA_CA_CERTS: authorities,
      AWS_ACCESS_KEY_ID: kms?.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: kms?.credentials.secretAccessKey,
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close();
  }
}
