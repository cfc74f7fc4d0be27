// TLS from this machine through the parent's route into an enclave of the emulator, whose key no one else has.
import { spawn, spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { connect as connectTcp, createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import { connect } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { KMS } from '@aws-sdk/client-kms';
import type { EmulatedEnclave, Emulator } from '@nitro-enclaves/emulator';
import { startEmulator } from '@nitro-enclaves/emulator';
import { ProxyService } from '@nitro-enclaves/parent';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandOf, scratchFolder } from '../../../test/examples/running-example.ts';
import { encodeBundle } from '../src/bundle.ts';
import { serveBundle } from '../src/bundle-channel.ts';
import { keyPolicyFor } from '../src/key-policy.ts';
import { LocalAuthority } from '../src/local-authority.ts';
import { createSealedKey } from '../src/sealed-key.ts';
import { TLS_PORT } from '../src/tls-service.ts';

const HOST = 'enclave.example';
const KEY_ID = '11111111-2222-4333-8444-555555555555';
const UNTIL_MS = 90_000;
const hasCurl = spawnSync('curl', ['--version']).status === 0;
const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

const folder = scratchFolder();
const authorityFile = join(folder.path, 'authority.pem');
const refusals: string[] = [];
let emulator: Emulator;
let enclave: EmulatedEnclave;
let owner: KMS;
let keyArn: string;
let authority: LocalAuthority;
let proxy: ProxyService;
let port: number;
/** What the parent gives at the moment, and how often it was asked. */
let bundle: Uint8Array = new Uint8Array(0);
let asked = 0;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (typeof address !== 'object' || address === null) throw new Error('expected a TCP port');
  return address.port;
}

async function until(what: string, isSo: () => Promise<boolean> | boolean): Promise<void> {
  for (const deadline = Date.now() + UNTIL_MS; !(await isSo()); await delay(100))
    if (Date.now() > deadline) throw new Error(`expected ${what}`);
}

/** The enclave looks at one bundle after the other: after two more looks it has judged the present one. */
async function judged(): Promise<void> {
  const before = asked;
  await until('the enclave to look at the bundle', () => asked >= before + 2);
}

type Pair = { readonly sealedKey: Uint8Array; readonly publicKey: Uint8Array };

async function pairFor(host = HOST): Promise<Pair> {
  return createSealedKey(owner, { keyArn, host });
}

async function bundleOf(
  { sealedKey, publicKey }: Pair,
  more: { host?: string; notBefore?: number; notAfter?: number } = {},
) {
  const certificate = await authority.issue({ host: HOST, publicKey, ...more });
  return { bytes: encodeBundle({ certificates: [certificate], sealedKey }), leaf: new X509Certificate(certificate) };
}

/** A TLS connection through the parent, to whom it should be. */
async function open(): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, servername: HOST, ca: authority.certificate });
  await once(socket, 'secureConnect');
  return socket;
}

async function servedFingerprint(): Promise<string> {
  const socket = await open();
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}

async function ask(socket: TLSSocket, path: string): Promise<string> {
  socket.write(`GET ${path} HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
  let answer = '';
  while (!answer.includes('enclave\n')) answer += String((await once(socket, 'data'))[0]);
  return answer;
}

beforeAll(async () => {
  const audit = (line: string) => {
    const { errorCode, eventName } = JSON.parse(line);
    if (errorCode !== undefined) refusals.push(`${eventName} ${errorCode}`);
  };
  emulator = await startEmulator({ kms: { keys: [{ keyId: KEY_ID }], audit } });
  const { kms, transport } = emulator;
  if (kms === undefined) throw new Error('expected a KMS');
  const { endpoint, region, accountId, credentials, ca } = kms;
  keyArn = `arn:aws:kms:${region}:${accountId}:key/${KEY_ID}`;
  owner = new KMS({ endpoint, region, credentials, requestHandler: { httpsAgent: new Agent({ ca }) } });
  enclave = await emulator.runEnclave({
    command: await commandOf('tls-server', folder.path),
    environment: {
      AWS_REGION: region,
      SEALING_KEY_ARN: keyArn,
      SERVER_NAME: HOST,
      CREDENTIALS_TOKEN: 'granted',
      RENEWAL_SECONDS: '0.3',
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
    },
  });
  authority = await LocalAuthority.create();
  writeFileSync(authorityFile, authority.certificate);
  await serveBundle(transport, () => {
    asked += 1;
    return Promise.resolve(bundle);
  });
  port = await freePort();
  const from = { kind: 'tcp', host: '127.0.0.1', port } as const;
  const to = { cid: enclave.cid, port: TLS_PORT, proxyProtocol: undefined };
  const route = { direction: 'ingress', name: 'https', from, ...to } as const;
  proxy = new ProxyService({ transport, config: { routes: [route], allowList: [] } });
  await proxy.start();
}, 180_000);

afterAll(async () => {
  await proxy?.drain({ timeout: 0 });
  owner?.destroy();
  await emulator?.close();
  folder[Symbol.dispose]();
});

function setPolicy(measurements: Parameters<typeof keyPolicyFor>[0]): Promise<unknown> {
  const Policy = keyPolicyFor(measurements, keyArn.split(':')[4] ?? '');
  return owner.putKeyPolicy({ KeyId: keyArn, PolicyName: 'default', Policy });
}

// Each test goes on from where the one before has left the server.
describe('a TLS server in an enclave', () => {
  it('serves nobody while KMS denies it the key', { timeout: 180_000 }, async () => {
    await setPolicy({ ...enclave.describe().Measurements, PCR0: 'ab'.repeat(48) });
    bundle = (await bundleOf(await pairFor())).bytes;
    await until('KMS to deny', () => refusals.includes('Decrypt AccessDenied'));
    await judged();
    await expect(open()).rejects.toThrow();
  });

  it('serves as soon as KMS opens the key to it', { timeout: 180_000 }, async () => {
    await setPolicy(enclave.describe().Measurements);
    await until('the server to come up', () =>
      open().then(
        (socket) => Boolean(socket.destroy()),
        () => false,
      ),
    );
    const socket = await open();
    expect(socket.alpnProtocol === false || socket.alpnProtocol === 'http/1.1').toBe(true);
    expect(await ask(socket, '/first')).toContain('GET /first: hello from behind TLS');
    socket.destroy();
  });

  it.skipIf(!hasCurl)('is what curl expects (needs curl)', { timeout: 60_000 }, async () => {
    const url = `https://${HOST}:${port}/curl`;
    const args = ['--silent', '--show-error', '--max-time', '30', '--resolve', `${HOST}:${port}:127.0.0.1`];
    const trusting = await outputOf('curl', [...args, '--cacert', authorityFile, url]);
    expect(trusting).toEqual({ status: 0, output: 'GET /curl: hello from behind TLS that ends in the enclave\n' });
    expect((await outputOf('curl', [...args, url])).status).toBe(60);
  });

  it.skipIf(!hasOpenssl)('is what openssl s_client expects (needs openssl)', { timeout: 60_000 }, async () => {
    const to = ['s_client', '-connect', `127.0.0.1:${port}`, '-servername', HOST, '-verify_return_error'];
    const hostname = ['-CAfile', authorityFile, '-verify_hostname'];
    const { status, output } = await outputOf('openssl', [...to, ...hostname, HOST]);
    expect(status, output).toBe(0);
    expect(output).toContain('Verify return code: 0 (ok)');
    expect(output).toContain('TLSv1.3');
    expect((await outputOf('openssl', [...to, ...hostname, 'other.example'])).status).not.toBe(0);
    expect((await outputOf('openssl', [...to, ...hostname, HOST, '-tls1_1'])).status).not.toBe(0);
  });

  it('takes a new key and certificate without dropping a connection', { timeout: 180_000 }, async () => {
    const established = await open();
    const before = established.getPeerCertificate().fingerprint256;
    const { bytes, leaf } = await bundleOf(await pairFor());
    bundle = bytes;
    await until('the new certificate', async () => (await servedFingerprint()) === leaf.fingerprint256);
    expect(leaf.fingerprint256).not.toBe(before);
    expect(await ask(established, '/still')).toContain('GET /still: hello');
    established.destroy();
  });

  const wrong: readonly [string, () => Promise<Uint8Array>][] = [
    [
      'another pair of key and certificate',
      async () => {
        const [one, other] = [await pairFor(), await pairFor()];
        return (await bundleOf({ sealedKey: one.sealedKey, publicKey: other.publicKey })).bytes;
      },
    ],
    ['a key that was sealed for another server', async () => (await bundleOf(await pairFor('other.example'))).bytes],
    [
      'a certificate for another server',
      async () => (await bundleOf(await pairFor(), { host: 'other.example' })).bytes,
    ],
    [
      'a certificate that has ended',
      async () => {
        const now = Date.now();
        return (await bundleOf(await pairFor(), { notBefore: now - 7200_000, notAfter: now - 3600_000 })).bytes;
      },
    ],
    [
      'a certificate that is older',
      async () => (await bundleOf(await pairFor(), { notBefore: Date.now() - 3600_000 })).bytes,
    ],
    [
      'a sealed key that was changed',
      async () => {
        const { sealedKey, publicKey } = await pairFor();
        const changed = sealedKey.slice();
        changed[changed.length - 1] = (changed[changed.length - 1] ?? 0) ^ 1;
        return (await bundleOf({ sealedKey: changed, publicKey })).bytes;
      },
    ],
    [
      'a key under another key of KMS',
      async () => {
        const { KeyMetadata } = await owner.createKey({});
        const sealed = await createSealedKey(owner, { keyArn: KeyMetadata?.Arn ?? '', host: HOST });
        return (await bundleOf(sealed)).bytes;
      },
    ],
    ['what is no bundle', () => Promise.resolve(Buffer.from('{"certificate":'))],
    ['nothing', () => Promise.resolve(new Uint8Array(0))],
    ['more than a bundle can be', () => Promise.resolve(new Uint8Array(1_000_000).fill(0x20))],
  ];
  it.each(wrong)('serves on as before when the parent gives %s', { timeout: 180_000 }, async (_name, make) => {
    const before = await servedFingerprint();
    const wellBefore = bundle;
    bundle = await make();
    await judged();
    expect(await servedFingerprint()).toBe(before);
    bundle = wellBefore;
  });

  it('serves on when KMS denies it the next key, and takes that when it is allowed again', {
    timeout: 180_000,
  }, async () => {
    const before = await servedFingerprint();
    await setPolicy({ ...enclave.describe().Measurements, PCR2: 'cd'.repeat(48) });
    const { bytes, leaf } = await bundleOf(await pairFor());
    bundle = bytes;
    await judged();
    expect(await servedFingerprint()).toBe(before);
    await setPolicy(enclave.describe().Measurements);
    await until('the new certificate', async () => (await servedFingerprint()) === leaf.fingerprint256);
  });

  it('lives on after what is no TLS, and connections that end in the middle', { timeout: 60_000 }, async () => {
    for (const noise of ['GET / HTTP/1.0\r\n\r\n', '\u0016\u0003\u0001', '']) {
      const socket = connectTcp(port, '127.0.0.1', () => socket.end(noise)).on('error', () => undefined);
      socket.resume();
      await once(socket, 'close');
    }
    const socket = await open();
    expect(await ask(socket, '/after')).toContain('hello');
    socket.destroy();
  });
});

describe('everything on one machine', () => {
  it('answers curl by the command that it prints, and ends when told to', { timeout: 180_000 }, async () => {
    const program = fileURLToPath(new URL('../dist/laptop.js', import.meta.url));
    const laptop = spawn(process.execPath, [program, String(await freePort())], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(laptop, 'exit');
    try {
      const [command] = await once(createInterface(laptop.stdout), 'line');
      expect(command).toMatch(/^curl --cacert \S+ --resolve/);
      const [tool, ...args] = String(command).split(' ');
      if (tool === 'curl' && hasCurl)
        expect((await outputOf('curl', ['--silent', '--max-time', '30', ...args])).output).toContain(
          'hello from behind TLS',
        );
    } finally {
      laptop.kill('SIGINT');
    }
    expect(await ended).toEqual([0, null]);
  });
});

/** Runs a program without standing in the way of the proxy, which is in this process. */
async function outputOf(program: string, args: readonly string[]): Promise<{ status: number | null; output: string }> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: 45_000 });
  let output = '';
  child.stdout.on('data', (bytes) => {
    output += String(bytes);
  });
  const [status] = await once(child, 'close');
  return { status, output };
}
