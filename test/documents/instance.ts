// A stand-in for an EC2 instance on which the documents' commands run as they are written: the parent is an emulator's, the
// AWS CLI is the genuine one, KMS is emulated, nitro-cli's command lines are checked and done by the emulator, docker is
// buildah. What is left, only an instance can do: stand-ins/of-the-instance.txt lists it.
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
import { delimiter, join } from 'node:path';
import type { Emulator } from '@nitro-enclaves/emulator';
import { startControlServer, startEmulator } from '@nitro-enclaves/emulator';
import { elf, kernel } from '../../packages/eif/test/build/workplace.ts';
import { probeIsolation } from '../../packages/emulator/src/hypervisor/isolation.ts';
import { ROOT } from '../../tools/run.mjs';
import type { CodeBlock } from '../readme/code-blocks.ts';
import { copyTree, fileOfDocuments } from './tree-copy.ts';

const STAND_INS = fileOfDocuments('stand-ins');
const AWS_CLI = '/usr/bin/aws';
const SESSION_MS = 900_000;
const ACCOUNT = '111122223333';
const REGION = 'eu-west-1';

/** Folders of the system that the documents name, which are the instance's own here. */
const SYSTEM_FOLDERS = ['/etc/nitro_enclaves', '/usr/share/nitro_enclaves', '/var/lib/signer'];

/** nitro-cli's allocator.yaml, as its package installs it. */
const ALLOCATOR = '---\nmemory_mib: 512\ncpu_count: 2\n';

/** An entry of the allow-list that nitro-cli's package installs for its proxy. */
const PROXY_ALLOWLIST = `allowlist:\n- {address: kms.${REGION}.amazonaws.com, port: 443}\n`;

/** Why no instance can be stood in for on this machine; `undefined` when one can. */
export async function whyNoInstance(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'needs root';
  if (!(await probeIsolation()).namespaces) return 'needs user namespaces, which this kernel does not allow';
  if (spawnSync('unshare', ['--mount', 'true']).status !== 0) return 'needs mount namespaces';
  const programs = [AWS_CLI, '/usr/bin/jq', '/usr/bin/openssl', '/usr/bin/curl'];
  const missing = programs.filter((program) => !existsSync(program));
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
  /** Commands of the test itself: before the block with a mark, and after all; the instance goes on serving meanwhile. */
  readonly before?: Readonly<Record<string, string>>;
  readonly afterwards?: string;
  /** Further variables. */
  readonly env?: Readonly<Record<string, string>>;
}

/** The blobs of nitro-cli: the emulator boots no kernel, but images are made of one. */
function writeBlobs(folder: string): void {
  const cpu = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, cpu === 'aarch64' ? 'Image' : 'bzImage'), kernel(cpu));
  for (const name of ['init', 'nsm.ko']) writeFileSync(join(folder, name), elf(cpu));
  writeFileSync(join(folder, 'cmdline'), 'reboot=k panic=30 pci=off nomodules console=ttyS0 random.trust_cpu=on\n');
}

function writeSystemFolders(folder: string): void {
  for (const path of SYSTEM_FOLDERS) mkdirSync(join(folder, path), { recursive: true });
  writeBlobs(join(folder, '/usr/share/nitro_enclaves/blobs'));
  writeFileSync(join(folder, '/etc/nitro_enclaves/allocator.yaml'), ALLOCATOR);
  writeFileSync(join(folder, '/etc/nitro_enclaves/vsock-proxy.yaml'), PROXY_ALLOWLIST);
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
    writeSystemFolders(folder);
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

  /** The commands that were taken although only an instance can run them. */
  commandsOfTheInstance(): string[] {
    const log = join(this.folder, 'of-the-instance.log');
    return existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : [];
  }

  /** Puts a file where the documents have it. */
  write(path: string, content: string): void {
    writeFileSync(join(this.folder, path), this.#localized(content));
  }

  /** A file of the instance, by the path that the documents have for it. */
  read(path: string): string {
    return this.readBytes(path).toString('utf8');
  }

  /** The bytes of such a file. */
  readBytes(path: string): Buffer {
    return readFileSync(join(this.folder, path));
  }

  /** Runs blocks one after the other in one shell, from the root of the tree; ends their processes and enclaves. */
  async run(
    blocks: readonly CodeBlock[],
    { before = {}, afterwards = '', env = {} }: SessionOptions = {},
  ): Promise<SessionEnd> {
    const script = join(this.folder, 'session.sh');
    const code = blocks.flatMap(({ place, marks, code }) => [
      ...marks.map((mark) => before[mark] ?? ''),
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
    return SYSTEM_FOLDERS.reduce((text, path) => text.replaceAll(path, join(this.folder, path)), code);
  }

  #environment(): NodeJS.ProcessEnv {
    const { kms } = this.emulator;
    const authorities = join(this.folder, 'authorities.pem');
    return {
      ...process.env,
      PATH: [STAND_INS, join(this.folder, 'global', 'bin'), process.env['PATH']].join(delimiter),
      USER: 'ec2-user',
      TMPDIR: tmpdir(),
      npm_config_globalconfig: join(this.folder, 'npmrc'),
      npm_config_prefix: join(this.folder, 'global'),
      NODE: process.execPath,
      TREE: this.tree,
      INSTANCE: this.folder,
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
