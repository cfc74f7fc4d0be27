import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lintEif, signEif } from '@nitro-enclaves/eif';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lintEif as lintInBrowser } from '../src/index.ts';
import { SecretScanner } from '../src/lint/secrets.ts';
import { createSigner } from './openssl.ts';
import type { SyntheticFile, SyntheticSection } from './synthetic-image.ts';
import { cmdline, cpioArchive, kernel, METADATA, metadata, ramdisk, syntheticImage, TYPE } from './synthetic-image.ts';

const X86_KERNEL = `${'\0'.repeat(0x202)}HdrS`;
const { privateKey } = generateKeyPairSync('ec', {
  namedCurve: 'P-384',
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});
// Put together here, so that no scanner takes this file for a leak.
const ACCESS_KEY = ['AKIA', 'IOSFODNN7EXAMPLE'].join('');

const CLEAN: readonly SyntheticFile[] = [{ name: 'init', mode: 0o100755, content: 'init' }];

function image(parts: {
  readonly kernel?: string;
  readonly cmdline?: string;
  readonly metadata?: unknown;
  readonly ramdisks?: readonly Uint8Array[];
  readonly more?: readonly SyntheticSection[];
}): Uint8Array {
  return syntheticImage([
    kernel(parts.kernel ?? X86_KERNEL),
    cmdline(parts.cmdline ?? 'reboot=k panic=30 nomodules'),
    metadata(parts.metadata),
    ...(parts.ramdisks ?? [cpioArchive(CLEAN)]).map((data) => ramdisk(data)),
    ...(parts.more ?? []),
  ]);
}

const withFile = (file: SyntheticFile): Uint8Array => image({ ramdisks: [cpioArchive([...CLEAN, file])] });
const docker = (...variables: readonly string[]): Uint8Array =>
  image({ metadata: { ...METADATA, DockerInfo: { Config: { Env: variables } } } });

async function rules(source: Uint8Array): Promise<string[]> {
  const findings = await lintEif(source);
  expect(await lintInBrowser(source)).toEqual(findings);
  return findings.map(({ rule }) => rule);
}

describe('lintEif', () => {
  it('finds nothing in an image with nothing to find', async () => {
    expect(await rules(image({}))).toEqual([]);
  });

  it.each<readonly [string, Uint8Array, readonly string[]]>([
    ['a private key', withFile({ name: 'etc/tls.key', content: privateKey }), ['SECRET_CONTENT']],
    ['an AWS key', withFile({ name: 'app.js', content: `const id = '${ACCESS_KEY}';` }), ['SECRET_CONTENT']],
    ['an SSH key by its name', withFile({ name: 'root/.ssh/id_ed25519', content: 'x' }), ['SECRET_FILE']],
    ['credentials by their name', withFile({ name: 'root/.aws/credentials', content: 'x' }), ['SECRET_FILE']],
    ['an .npmrc', withFile({ name: 'app/.npmrc', content: 'x' }), ['SECRET_FILE']],
    ['an .env of production', withFile({ name: 'app/.env.production', content: 'x' }), ['SECRET_FILE']],
    ['a secret variable', withFile({ name: 'env', content: 'PATH=/bin\nDB_PASSWORD=x' }), ['SECRET_ENVIRONMENT']],
    [
      'a secret variable for our own init',
      withFile({ name: 'app.conf', content: 'arg=TOKEN=x\0env=PATH=/bin\0env=API_TOKEN=x\0' }),
      ['SECRET_ENVIRONMENT'],
    ],
    ['a secret variable in the metadata', docker('DB_PASSWORD=x'), ['SECRET_ENVIRONMENT', 'METADATA_UNMEASURED']],
    ['an environment in the metadata', docker('PATH=/bin', 'MODE=1'), ['METADATA_ENVIRONMENT', 'METADATA_UNMEASURED']],
    [
      'a secret in the custom metadata',
      image({ metadata: { ...METADATA, CustomMetadata: { key: ACCESS_KEY } } }),
      ['SECRET_CONTENT', 'METADATA_UNMEASURED'],
    ],
    ['times that differ', withFile({ name: 'a', mtime: 1_700_000_000 }), ['TIME_UNPINNED']],
    ['a debug parameter', image({ cmdline: 'debug' }), ['CMDLINE_DEBUG']],
    ['early output', image({ cmdline: 'earlyprintk=serial' }), ['CMDLINE_DEBUG']],
    ['a shell as init', image({ cmdline: 'rdinit=/bin/sh' }), ['CMDLINE_DEBUG']],
    ['protections turned off', image({ cmdline: 'nokaslr mitigations=off' }), ['CMDLINE_DEBUG', 'CMDLINE_DEBUG']],
    ['a console', image({ cmdline: 'reboot=k console=ttyS0' }), ['CMDLINE_CONSOLE']],
    ['a command line that the kernel cuts off', image({ cmdline: 'x'.repeat(2048) }), ['CMDLINE_TOO_LONG']],
    ['a kernel that is none', image({ kernel: 'kernel' }), ['KERNEL_FORMAT']],
    ['an empty ramdisk', image({ ramdisks: [cpioArchive(CLEAN), Buffer.alloc(0)] }), ['RAMDISK_EMPTY']],
    [
      'a ramdisk that leaves the next one unaligned',
      image({ ramdisks: [Buffer.concat([cpioArchive(CLEAN), Buffer.alloc(1)]), cpioArchive(CLEAN)] }),
      ['RAMDISK_ALIGNMENT'],
    ],
    ['a ramdisk that cannot be read', image({ ramdisks: [Buffer.from('????')] }), ['RAMDISK_UNREADABLE']],
  ])('finds %s', async (_, source, expected) => {
    expect(await rules(source)).toEqual(expected);
  });

  it.each<readonly [string, SyntheticFile]>([
    [
      'a library’s mention of keys',
      { name: 'libcrypto.so', content: '\0-----BEGIN PRIVATE KEY-----\0-----END PRIVATE KEY-----\0' },
    ],
    ['a certificate', { name: 'ca.pem', content: '-----BEGIN CERTIFICATE-----\nMIIB' }],
    ['an example of an environment', { name: '.env.example', content: 'TOKEN=' }],
    ['a public SSH key', { name: '.ssh/id_rsa.pub', content: 'ssh-rsa AAAA' }],
    ['a variable without a value', { name: 'env', content: 'TOKEN=\nTOKENIZER=x\n' }],
    ['letters that only begin like a key', { name: 'a', content: `x${ACCESS_KEY}` }],
  ])('says nothing of %s', async (_, file) => {
    expect(await rules(withFile(file))).toEqual([]);
  });

  it('says nothing of parameters that the official images have', async () => {
    const official = 'reboot=k panic=30 pci=off nomodules i8042.noaux random.trust_cpu=on root=/dev/ram0 console=null';
    expect(await rules(image({ cmdline: official }))).toEqual([]);
  });

  it('never shows a secret', async () => {
    const findings = await lintEif(withFile({ name: 'env', content: `DB_PASSWORD=hunter2\nKEY=${ACCESS_KEY}` }));
    expect(findings.length).toBeGreaterThan(1);
    expect(JSON.stringify(findings)).not.toMatch(new RegExp(`hunter2|${ACCESS_KEY}`));
  });

  it('finds a signature that does not hold, and a certificate that has expired', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'eif-lint-'));
    try {
      const path = join(folder, 'signed.eif');
      await writeFile(path, image({}));
      await signEif(path, await createSigner(folder, 'secp384r1', 1));
      expect(await lintEif(path)).toEqual([]);
      const at = new Date(Date.now() + 30 * 86_400_000);
      expect((await lintEif(path, { at })).map(({ rule }) => rule)).toEqual(['SIGNATURE_INVALID']);
      const section = (await readFile(path)).subarray(image({}).length + 12);
      const other = image({ cmdline: 'quiet', more: [{ type: TYPE.signature, data: section }] });
      expect(await rules(other)).toEqual(['SIGNATURE_INVALID']);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe('SecretScanner', () => {
  it('finds a secret however the file is cut into pieces', () => {
    const bytes = Buffer.from(`${'x'.repeat(600)} ${privateKey} ${ACCESS_KEY} ${'y'.repeat(600)}`);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1 }), (lengths) => {
        const scanner = new SecretScanner();
        for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
          const length = lengths[turn % lengths.length] ?? 1;
          scanner.push(bytes.subarray(at, at + length));
          at += length;
        }
        expect([...scanner.found].sort()).toEqual(['a private key in PEM', 'an AWS access key id']);
      }),
      { numRuns: 50 },
    );
  });

  it.each([
    ['headers on one line', `-----BEGIN PRIVATE KEY-----\n${'a: b '.repeat(100_000)}\n!`],
    ['headers on many lines', `-----BEGIN PRIVATE KEY-----\n${'a: b\n \t\n'.repeat(100_000)}!`],
    ['first lines', '-----BEGIN PRIVATE KEY-----\n'.repeat(30_000)],
    ['words of a first line', `-----BEGIN ${'PRIVATE '.repeat(100_000)}KEY`],
    ['spaces', `aws_secret_access_key${' '.repeat(500_000)}`],
  ])('is not held up by a file of %s', (_, text) => {
    const scanner = new SecretScanner();
    scanner.push(Buffer.from(text));
    expect(scanner.found).toEqual([]);
  });
});
