// Where the documents' examples in TypeScript run that are about an enclave or its parent, or read files: an emulator with
// everything that they name, and a folder. The packages are the built ones, as a reader has them; where an example opens
// AF_VSOCK or /dev/nsm itself, the emulator's stand in for them.
import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EmulatedEnclave, Emulator } from '@nitro-enclaves/emulator';
import { startControlServer, startEmulator } from '@nitro-enclaves/emulator';
import { ProxyService } from '@nitro-enclaves/parent';
import type { Transport } from '@nitro-enclaves/vsock';
import { ROOT } from '../../tools/run.mjs';
import { selfSigned } from '../qemu/rig/self-signed.mjs';
import type { CodeBlock } from '../readme/code-blocks.ts';
import { writeProgram } from '../readme/program.ts';
import { signersKey, writeFiles } from './place-files.ts';
import { fileOfDocuments } from './tree-copy.ts';

const REGION = 'eu-west-1';
const CID = 16;
const PORT = 5000;
const PATIENCE_MS = 60_000;
const STAND_INS = fileOfDocuments('stand-ins');
/** Programs of nitro-cli's packages. */
const PROGRAMS = fileOfDocuments('packages');
/** Below this package, so that examples find the workspace's packages as those of a user find theirs. */
const CACHE = join(ROOT, 'test', '.cache');
/** The kernel's account of free huge pages, of which a machine that is no parent has none. */
const HUGEPAGES = '/sys/kernel/mm/hugepages';
/** The internet of the examples, at an address of this machine that nothing else is likely to have taken. */
const SITE = { name: 'api.example.com', address: '127.83.0.1', port: 443, answer: 'hello from the internet' };
const CONNECT_PORT = 3128;

/** Serves the internet. */
async function startSite(key: string, cert: string): Promise<() => void> {
  const server = createServer({ key, cert }, (_, response) => response.end(SITE.answer));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(SITE.port, SITE.address, resolve);
  });
  return () => {
    server.closeAllConnections();
    server.close();
  };
}

/** The parent's proxy, with a route that takes CONNECT. */
async function startProxy(transport: Transport): Promise<ProxyService> {
  const to = { kind: 'connect' } as const;
  const route = { direction: 'egress', name: 'web', vsockPort: CONNECT_PORT, to, allow: [], cids: undefined } as const;
  const proxy = new ProxyService({
    transport,
    config: { routes: [route], allowList: [{ address: SITE.name, port: SITE.port, allowPrivate: true }] },
    resolver: { resolve: async () => ({ addresses: [SITE.address], ttl: 1000 }) },
  });
  await proxy.start();
  return proxy;
}

/** An emulator with what examples ask for, and programs that run as its enclaves, on its parent, or with its files. */
export class Place implements AsyncDisposable {
  /** What the internet answers. */
  readonly answer = SITE.answer;
  readonly #emulator: Emulator;
  readonly #folder: string;
  readonly #programs: string;
  readonly #close: () => Promise<void>;

  private constructor(emulator: Emulator, folder: string, close: () => Promise<void>) {
    this.#emulator = emulator;
    this.#folder = folder;
    this.#programs = mkdtempSync(join(CACHE, 'place-'));
    this.#close = close;
    for (const name of ['vsock.mjs', 'nsm.mjs']) copyFileSync(join(STAND_INS, name), join(this.#programs, name));
  }

  static async open(): Promise<Place> {
    mkdirSync(CACHE, { recursive: true });
    const folder = mkdtempSync(join(tmpdir(), 'place-'));
    await writeFiles(folder, join(folder, 'blobs'));
    mkdirSync(join(folder, 'hugepages', 'hugepages-1048576kB'), { recursive: true });
    writeFileSync(join(folder, 'hugepages', 'hugepages-1048576kB', 'free_hugepages'), '4\n');
    const signer = { alias: 'alias/signer', keySpec: 'ECC_NIST_P384', material: signersKey(folder) } as const;
    const keys = [{ alias: 'alias/payments' }, signer];
    const emulator = await startEmulator({ region: REGION, folder: join(folder, 'emulator'), kms: { keys } });
    const control = await startControlServer(emulator);
    const { key, certificate } = await selfSigned(SITE.name);
    writeFileSync(join(folder, 'authorities.pem'), `${emulator.kms?.ca}\n${certificate}`);
    const closeSite = await startSite(key, certificate);
    const proxy = await startProxy(emulator.transport);
    return new Place(emulator, folder, async () => {
      await proxy.drain({ timeout: 0 });
      closeSite();
      await control.close();
      await emulator.close();
      rmSync(folder, { recursive: true, force: true });
    });
  }

  /** Starts an example as the enclave with CID 16. */
  runEnclave(block: CodeBlock): Promise<EmulatedEnclave> {
    return this.#emulator.runEnclave({
      command: [process.execPath, this.#write(block)],
      environment: { NODE_EXTRA_CA_CERTS: join(this.#folder, 'authorities.pem') },
      enclaveCid: CID,
      debugMode: true,
    });
  }

  /** What the enclave answers to `hello`, or has said when it ended without having answered. */
  async answerOf(enclave: EmulatedEnclave): Promise<{ answer: string } | { status: number | null; output: string }> {
    const output = text(enclave.console());
    const deadline = performance.now() + PATIENCE_MS;
    const ended = enclave.exited.then(({ exitCode }) => ({ status: exitCode }));
    while (performance.now() < deadline) {
      const answer = await this.#ask().catch(() => undefined);
      if (answer !== undefined) return { answer };
      const end = await Promise.race([ended, sleep(100)]);
      if (end !== undefined) return { ...end, output: await output };
    }
    await enclave.terminate();
    throw new Error(`expected an answer, or an end, within ${PATIENCE_MS} ms, found neither:\n${await output}`);
  }

  async #ask(): Promise<string> {
    const socket = await this.#emulator.transport.connect({ cid: CID, port: PORT, timeout: 1000, allowHalfOpen: true });
    socket.end('hello');
    return text(socket);
  }

  /** Runs an example to its end, on the parent. */
  async run(block: CodeBlock): Promise<{ status: number | null; output: string }> {
    const enter = `mount --bind "$1" ${HUGEPAGES} && exec "$2" "$3"`;
    const words = [enter, 'sh', join(this.#folder, 'hugepages'), process.execPath, this.#write(block)];
    const program = spawn('unshare', ['--mount', 'sh', '-c', ...words], {
      cwd: this.#folder,
      env: this.#environment(),
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: PATIENCE_MS,
      killSignal: 'SIGKILL',
    });
    const [output, errors, status] = await Promise.all([
      text(program.stdout),
      text(program.stderr),
      new Promise<number | null>((resolve) => program.once('close', resolve)),
    ]);
    return { status, output: output + errors };
  }

  #environment(): NodeJS.ProcessEnv {
    const { kms, folder } = this.#emulator;
    return {
      PATH: [PROGRAMS, process.env['PATH']].join(delimiter),
      NODE: process.execPath,
      TREE: ROOT,
      STAND_INS,
      NITRO_ENCLAVES_EMULATOR_FOLDER: folder,
      NODE_EXTRA_CA_CERTS: join(this.#folder, 'authorities.pem'),
      AWS_REGION: REGION,
      AWS_ENDPOINT_URL_KMS: kms?.endpoint,
      AWS_ACCESS_KEY_ID: kms?.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: kms?.credentials.secretAccessKey,
    };
  }

  /** Makes a program of an example: its seams are the stand-ins beside it, its paths of the system are of the folder. */
  #write(block: CodeBlock): string {
    const code = block.code
      .replaceAll(/'@nitro-enclaves\/(vsock|nsm)'/g, "'./$1.mjs'")
      .replaceAll('/usr/share/nitro_enclaves/blobs', join(this.#folder, 'blobs'))
      .replaceAll('/opt/app', this.#folder);
    return writeProgram({ ...block, code }, this.#programs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
    rmSync(this.#programs, { recursive: true, force: true });
  }
}
