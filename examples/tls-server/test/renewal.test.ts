// The parts that judge what the parent brings, each on its own.
import { spawnSync } from 'node:child_process';
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { commandsIn, scratchFolder } from '../../../test/examples/running-example.ts';
import { encodeBundle, parseBundle } from '../src/bundle.ts';
import { readConfig } from '../src/config.ts';
import { TlsServerError } from '../src/error.ts';
import type { ServerIdentity } from '../src/identity.ts';
import { createIdentity } from '../src/identity.ts';
import { LocalAuthority } from '../src/local-authority.ts';
import { Renewal } from '../src/renewal.ts';

const HOST = 'enclave.example';
const HOUR_MS = 3_600_000;
let authority: LocalAuthority;

beforeAll(async () => {
  authority = await LocalAuthority.create();
});

interface Pair {
  readonly key: KeyObject;
  readonly publicKey: Uint8Array;
}

function generate(): Pair {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { key: privateKey, publicKey: publicKey.export({ format: 'der', type: 'spki' }) };
}

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof TlsServerError) return error.code;
    throw error;
  }
  return 'nothing';
}

describe('a bundle', () => {
  it('is read as it was written', () => {
    const pem = fc
      .uint8Array({ minLength: 1, maxLength: 900 })
      .map((der) => `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString('base64')}\n-----END CERTIFICATE-----`);
    const bundles = fc.record({
      certificates: fc.array(pem, { minLength: 1, maxLength: 4 }),
      sealedKey: fc.uint8Array({ minLength: 1, maxLength: 6144 }).map((bytes) => Buffer.from(bytes)),
    });
    fc.assert(
      fc.property(bundles, (bundle) => {
        expect(parseBundle(encodeBundle(bundle))).toEqual(bundle);
      }),
    );
  });

  it('of any bytes that are none is refused by its code', () => {
    const bytes = fc.oneof(
      fc.uint8Array(),
      fc.json().map((json) => new TextEncoder().encode(json)),
    );
    fc.assert(
      fc.property(bytes, (some) => {
        expect(codeOf(() => parseBundle(some))).toBe('BUNDLE_MALFORMED');
      }),
    );
  });

  const certificate = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----';
  it.each([
    ['null', null],
    ['no certificate', { sealedKey: 'AAAA' }],
    ['a certificate that is no PEM', { certificate: 'AAAA', sealedKey: 'AAAA' }],
    ['no key', { certificate }],
    ['a key that is no text', { certificate, sealedKey: 7 }],
    ['an empty key', { certificate, sealedKey: '' }],
    ['a key in hexadecimal and spaces', { certificate, sealedKey: 'ab cd' }],
    ['a key too long for KMS', { certificate, sealedKey: Buffer.alloc(6145, 1).toString('base64') }],
    ['too many bytes', { certificate, sealedKey: 'AAAA', more: 'x'.repeat(70_000) }],
  ])('with %s is refused', (_name, bundle) => {
    expect(codeOf(() => parseBundle(Buffer.from(JSON.stringify(bundle))))).toBe('BUNDLE_MALFORMED');
  });
});

describe('an identity', () => {
  const checks = { host: HOST, now: Date.now(), current: undefined };

  async function identityOf(now = Date.now()): Promise<{ pair: Pair; pem: string; identity: ServerIdentity }> {
    const pair = generate();
    const pem = await authority.issue({ host: HOST, publicKey: pair.publicKey, notBefore: now - HOUR_MS });
    return { pair, pem, identity: createIdentity({ certificates: [pem], key: pair.key }, { ...checks, now }) };
  }

  it('is a certificate with its key, for its host, at its time', async () => {
    const { identity } = await identityOf();
    expect(identity.notBefore).toBeLessThan(Date.now());
    expect(identity.notAfter).toBeGreaterThan(Date.now());
  });

  it('is none with another key, host or time', async () => {
    const { pair, pem } = await identityOf();
    const judge = (key: KeyObject, more: object) =>
      codeOf(() => createIdentity({ certificates: [pem], key }, { ...checks, ...more }));
    expect(judge(generate().key, {})).toBe('CERTIFICATE_KEY');
    expect(judge(pair.key, { host: 'other.example' })).toBe('CERTIFICATE_HOST');
    expect(judge(pair.key, { now: checks.now - 2 * HOUR_MS })).toBe('CERTIFICATE_TIME');
    expect(judge(pair.key, { now: checks.now + 48 * HOUR_MS })).toBe('CERTIFICATE_TIME');
    expect(judge(pair.key, {})).toBe('nothing');
  });

  it('may not be older than the one before, and may be as old', async () => {
    const { pair, pem, identity: current } = await identityOf();
    const older = await authority.issue({
      host: HOST,
      publicKey: pair.publicKey,
      notBefore: current.notBefore - 60_000,
    });
    const judge = (certificate: string) =>
      codeOf(() => createIdentity({ certificates: [certificate], key: pair.key }, { ...checks, current }));
    expect(judge(older)).toBe('CERTIFICATE_OLDER');
    expect(judge(pem)).toBe('nothing');
  });

  it('has a chain in which each is signed by the next', async () => {
    const { pair, pem } = await identityOf();
    const stranger = await LocalAuthority.create();
    const judge = (...certificates: string[]) => codeOf(() => createIdentity({ certificates, key: pair.key }, checks));
    expect(judge(pem, authority.certificate)).toBe('nothing');
    expect(judge(pem, stranger.certificate)).toBe('CERTIFICATE_CHAIN');
    expect(judge(pem, pem)).toBe('CERTIFICATE_CHAIN');
    expect(judge('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----')).toBe('BUNDLE_MALFORMED');
    expect(judge()).toBe('BUNDLE_MALFORMED');
  });
});

describe('the renewal', () => {
  const { signal } = new AbortController();

  async function renewalOver(bundles: readonly (Uint8Array | Error)[], now: () => number = Date.now) {
    const used: ServerIdentity[] = [];
    const opened: Uint8Array[] = [];
    const lines: string[] = [];
    let next = 0;
    const renewal = new Renewal({
      host: HOST,
      interval: 1,
      now,
      fetch: async () => {
        const bundle = bundles[Math.min(next++, bundles.length - 1)] ?? new Error('there is none');
        if (bundle instanceof Error) throw bundle;
        return bundle;
      },
      // A key that lies open stands for one that KMS has opened.
      open: async ({ sealedKey }) => {
        opened.push(sealedKey);
        return createPrivateKey({ key: Buffer.from(sealedKey), format: 'der', type: 'pkcs8' });
      },
      use: (identity) => void used.push(identity),
      log: (line) => lines.push(line),
    });
    return { renewal, used, opened, lines };
  }

  async function bundleOf({ key, publicKey }: Pair): Promise<Uint8Array> {
    const certificates = [await authority.issue({ host: HOST, publicKey })];
    return encodeBundle({ certificates, sealedKey: key.export({ format: 'der', type: 'pkcs8' }) });
  }

  it('asks KMS once for each bundle', async () => {
    const [first, second] = [await bundleOf(generate()), await bundleOf(generate())];
    const { renewal, used, opened } = await renewalOver([first, first, first, second, second]);
    const outcomes = [];
    for (let look = 0; look < 5; look += 1) outcomes.push(await renewal.attempt(signal));
    expect(outcomes).toEqual(['renewed', 'unchanged', 'unchanged', 'renewed', 'unchanged']);
    expect([used.length, opened.length]).toEqual([2, 2]);
  });

  it('survives everything that is wrong, says what it was, and says no secret', async () => {
    const pair = generate();
    const mismatch = encodeBundle({
      certificates: [await authority.issue({ host: HOST, publicKey: generate().publicKey })],
      sealedKey: pair.key.export({ format: 'der', type: 'pkcs8' }),
    });
    const { renewal, used, lines } = await renewalOver([new Error('away'), mismatch, await bundleOf(pair)]);
    expect(await renewal.attempt(signal)).toBe('refused');
    expect(await renewal.attempt(signal)).toBe('refused');
    expect(used).toEqual([]);
    expect(await renewal.attempt(signal)).toBe('renewed');
    expect(lines[0]).toContain('away');
    expect(lines[1]).toContain('CERTIFICATE_KEY');
    const secret = pair.key.export({ format: 'der', type: 'pkcs8' }).toString('base64');
    expect(lines.join('\n')).not.toContain(secret.slice(40, 80));
  });

  it('says so when the certificate that is served has ended, and serves it on', async () => {
    let time = Date.now();
    const { renewal, used, lines } = await renewalOver([await bundleOf(generate()), new Error('away')], () => time);
    expect(await renewal.attempt(signal)).toBe('renewed');
    expect(await renewal.attempt(signal)).toBe('refused');
    expect(lines.join('\n')).not.toContain('has ended');
    time += 48 * HOUR_MS;
    expect(await renewal.attempt(signal)).toBe('refused');
    expect(lines.at(-1)).toContain('has ended');
    expect(used).toHaveLength(1);
  });

  it('ends with its signal', async () => {
    const { renewal, used } = await renewalOver([await bundleOf(generate())]);
    const controller = new AbortController();
    const running = renewal.run(controller.signal);
    while (used.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    controller.abort();
    await running;
    expect(used).toHaveLength(1);
  });
});

const hasTools = ['openssl', 'jq'].every((tool) => spawnSync(tool, ['--version']).error === undefined);

describe("the owner's commands (they need openssl 3 and jq)", () => {
  it.skipIf(!hasTools)('make a bundle of a key pair of KMS, as the README says', { timeout: 60_000 }, () => {
    using folder = scratchFolder();
    const { key, publicKey } = generate();
    const sealedKey = Buffer.from('in the place of a ciphertext');
    const pair = {
      PublicKey: Buffer.from(publicKey).toString('base64'),
      PrivateKeyCiphertextBlob: sealedKey.toString('base64'),
    };
    writeFileSync(join(folder.path, 'pair.json'), JSON.stringify(pair));
    const authorityOfOnesOwn =
      'openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=CA -days 30';
    const script = `host=${HOST}\n${authorityOfOnesOwn}\n${commandsIn('tls-server', 'certificate')}`;
    const { status, stderr } = spawnSync('bash', ['-euo', 'pipefail'], {
      cwd: folder.path,
      input: script,
      encoding: 'utf8',
    });
    expect(status, stderr).toBe(0);
    const bundle = parseBundle(readFileSync(join(folder.path, 'bundle.json')));
    expect(Buffer.from(bundle.sealedKey)).toEqual(sealedKey);
    const identity = createIdentity({ ...bundle, key }, { host: HOST, now: Date.now(), current: undefined });
    expect(identity.notAfter - identity.notBefore).toBe(30 * 24 * HOUR_MS);
  });
});

describe('the configuration', () => {
  const env = { AWS_REGION: 'eu-west-1', SEALING_KEY_ARN: 'arn', SERVER_NAME: HOST, CREDENTIALS_TOKEN: 'granted' };

  it('is taken from the environment', () => {
    expect(readConfig(env)).toMatchObject({ host: HOST, interval: HOUR_MS });
    expect(readConfig({ ...env, RENEWAL_SECONDS: '60' }).interval).toBe(60_000);
  });

  it.each(Object.keys(env))('lacks nothing: %s', (name) => {
    expect(() => readConfig({ ...env, [name]: '' })).toThrow(name);
  });

  it.each(['0', '-1', 'soon', '1e9', 'NaN', ''])('has a sane cadence: "%s" is none', (seconds) => {
    expect(() => readConfig({ ...env, RENEWAL_SECONDS: seconds })).toThrow(RangeError);
  });
});
