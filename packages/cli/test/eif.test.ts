import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CommandContext, ExitCode } from '@nitro-enclaves/cli';
import { EXIT_CODE, run } from '@nitro-enclaves/cli';
import { measureEif, verifyEif, ZERO_PCR } from '@nitro-enclaves/eif';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSigner } from '../../eif/test/openssl.ts';
import type { SyntheticFile } from '../../eif/test/synthetic-image.ts';
import { cmdline, cpioArchive, kernel, metadata, ramdisk, syntheticImage } from '../../eif/test/synthetic-image.ts';

const ROLE = 'arn:aws:iam::123456789012:role/Webserver';
const PCR3 = '78fce75db17cd4e0a3fb8dad3ad128ca5e77edbb2b2c7f75329dccd99aa5f6ef4fc1f1a452e315b9e98f9e312e6921e6';
const X86_KERNEL = `${'\0'.repeat(0x202)}HdrS`;

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cli-eif-'));
  await writeFile(join(folder, 'image.eif'), image([{ name: 'app', mode: 0o104755, content: 'one' }]));
});
afterEach(() => rm(folder, { recursive: true }));

function image(files: readonly SyntheticFile[], line = 'quiet'): Uint8Array {
  return syntheticImage([kernel(X86_KERNEL), cmdline(line), metadata(), ramdisk(cpioArchive(files))]);
}

interface Ended {
  readonly code: ExitCode;
  readonly out: string;
  readonly err: string;
}

/** Runs a command in `folder`; `tty` says whether a person looks at its standard error. */
async function nitro(args: readonly string[], tty = false): Promise<Ended> {
  const [out, err]: [string[], string[]] = [[], []];
  let code: ExitCode = EXIT_CODE.OK;
  const sink = (to: string[]) => ({ write: (text: string | Uint8Array) => to.push(text.toString()), isTTY: tty });
  const context: CommandContext = {
    stdin: (async function* () {})(),
    stdout: sink(out),
    stderr: sink(err),
    env: {},
    cwd: folder,
    signal: new AbortController().signal,
    exitWith: (exit) => {
      code = exit;
    },
  };
  await run(args, context);
  return { code, out: out.join(''), err: err.join('') };
}

const json = async (...args: readonly string[]): Promise<unknown> => JSON.parse((await nitro(args)).out);

describe('eif measure', () => {
  it('prints the PCRs, and as JSON in the shape of nitro-cli build-enclave', async () => {
    const pcrs = await measureEif(join(folder, 'image.eif'));
    expect((await nitro(['eif', 'measure', 'image.eif'])).out).toBe(
      `PCR0 ${pcrs.PCR0}\nPCR1 ${pcrs.PCR1}\nPCR2 ${pcrs.PCR2}\n`,
    );
    expect(await json('eif', 'measure', '--json', 'image.eif')).toEqual({
      Measurements: { HashAlgorithm: 'Sha384 { ... }', ...pcrs },
    });
  });

  it('exits with 1 for a bad image, 4 for a missing one, 2 for a wrong command line', async () => {
    await writeFile(join(folder, 'bad.eif'), 'not an image'.repeat(100));
    expect(await nitro(['eif', 'measure', 'bad.eif'])).toMatchObject({
      code: EXIT_CODE.BAD_EVIDENCE,
      out: '',
      err: expect.stringContaining('EIF_MAGIC') as string,
    });
    expect((await nitro(['eif', 'measure', 'none.eif'])).code).toBe(EXIT_CODE.UNAVAILABLE);
    expect((await nitro(['eif', 'measure'])).code).toBe(EXIT_CODE.USAGE);
    expect((await nitro(['eif', 'measure', '.'])).code).toBe(EXIT_CODE.UNAVAILABLE);
  });
});

describe('eif describe', () => {
  it('prints the JSON of nitro-cli describe-eif, its fields in order', async () => {
    const description = (await json('eif', 'describe', 'image.eif')) as object;
    expect(Object.keys(description)).toEqual([
      'EifVersion',
      'Measurements',
      'IsSigned',
      'CheckCRC',
      'ImageName',
      'ImageVersion',
      'Metadata',
    ]);
  });

  it('tells of a wrong CRC and exits with 1', async () => {
    const damaged = image([]);
    damaged[0x220] = (damaged[0x220] ?? 0) ^ 1;
    await writeFile(join(folder, 'image.eif'), damaged);
    const { code, out } = await nitro(['eif', 'describe', 'image.eif']);
    expect(code).toBe(EXIT_CODE.BAD_EVIDENCE);
    expect(JSON.parse(out)).toMatchObject({ CheckCRC: false });
  });

  it('tells more with --json', async () => {
    expect(await json('eif', 'describe', '--json', 'image.eif')).toMatchObject({
      cmdline: 'quiet',
      header: { version: 4, architecture: 'x86_64' },
      sections: [{ type: 'kernel' }, { type: 'cmdline' }, { type: 'metadata' }, { type: 'ramdisk' }],
      signature: null,
    });
  });
});

describe('eif sign and verify', () => {
  it('sign in place or elsewhere, and verify against a certificate and a PCR0', async () => {
    const { key, certificate } = await createSigner(folder, 'secp384r1', 1);
    const other = await createSigner(folder, 'prime256v1', 1);
    await writeFile(join(folder, 'key.pem'), key);
    await writeFile(join(folder, 'certificate.pem'), certificate);
    await writeFile(join(folder, 'other.pem'), other.certificate);
    const keys = ['--signing-certificate', 'certificate.pem', '--private-key', 'key.pem'];
    expect((await nitro(['eif', 'verify', 'image.eif'])).err).toContain('EIF_SIGNATURE_MISSING');
    expect((await nitro(['eif', 'sign', 'image.eif', ...keys, '--output', 'signed.eif'])).code).toBe(EXIT_CODE.OK);
    const { pcrs } = await verifyEif(join(folder, 'signed.eif'));
    const right = ['--signing-certificate', 'certificate.pem', '--pcr0', pcrs.PCR0];
    expect(await nitro(['eif', 'verify', 'signed.eif', ...right])).toMatchObject({
      code: EXIT_CODE.OK,
      out: expect.stringContaining('commonName=enclave signer') as string,
    });
    expect((await nitro(['eif', 'verify', 'signed.eif', '--signing-certificate', 'other.pem'])).code).toBe(
      EXIT_CODE.POLICY,
    );
    expect((await nitro(['eif', 'verify', 'signed.eif', '--pcr0', ZERO_PCR])).code).toBe(EXIT_CODE.POLICY);
    expect(await nitro(['eif', 'verify', 'signed.eif', '--at', '2100-01-01'])).toMatchObject({
      code: EXIT_CODE.BAD_EVIDENCE,
      err: expect.stringContaining('EIF_CERTIFICATE_EXPIRED') as string,
    });
    expect((await nitro(['eif', 'verify', 'signed.eif', '--at', 'soon'])).code).toBe(EXIT_CODE.USAGE);
    expect(await json('eif', 'sign', 'image.eif', ...keys, '--json')).toMatchObject({ Measurements: pcrs });
    expect(await json('eif', 'verify', 'image.eif', '--json')).toMatchObject({ verified: true, algorithm: 'ES384' });
    const mixed = ['--signing-certificate', 'other.pem', '--private-key', 'key.pem'];
    expect((await nitro(['eif', 'sign', 'image.eif', ...mixed])).err).toContain('EIF_SIGNING_KEY_MISMATCH');
  });
});

describe('eif ls, extract, diff and lint', () => {
  it('list the files, those below a path, and those whose names would command a terminal', async () => {
    const files = [
      { name: 'app', mode: 0o040755 },
      { name: 'app/x\u001b[2J\u009b1m\u202e', content: 'x' },
      { name: 'apple' },
    ];
    await writeFile(join(folder, 'image.eif'), image(files));
    const { out } = await nitro(['eif', 'ls', 'image.eif', '/app/']);
    expect(out.split('\n').map((line) => line.slice(0, 12))).toEqual(['0 drwxr-xr-x', '0 -rw-r--r--', '']);
    expect(out).toContain('app/x\\u001b[2J\\u009b1m\\u202e');
    expect((await nitro(['eif', 'ls', '--json', 'image.eif'])).out).not.toMatch(/[^\n\P{Cc}]|\p{Cf}/u);
    expect(await json('eif', 'ls', '--json', 'image.eif')).toMatchObject([{}, { path: files[1]?.name }, {}]);
  });

  it('tell of a ramdisk that is no archive', async () => {
    await writeFile(join(folder, 'image.eif'), syntheticImage([kernel(), cmdline(), metadata(), ramdisk('?')]));
    const { code, err } = await nitro(['eif', 'ls', 'image.eif']);
    expect(code).toBe(EXIT_CODE.BAD_EVIDENCE);
    expect(err).toContain('warning: ramdisk 0 is not listed');
    expect((await nitro(['eif', 'extract', 'image.eif', 'out'])).err).toBe('warning: ramdisk 0 is no archive\n');
  });

  it('take an image apart', async () => {
    expect((await nitro(['eif', 'extract', 'image.eif', 'out'])).code).toBe(EXIT_CODE.OK);
    expect(await readFile(join(folder, 'out/initramfs/app'), 'utf8')).toBe('one');
    expect((await nitro(['eif', 'extract', 'image.eif', 'out'])).code).toBe(EXIT_CODE.USAGE);
    await nitro(['eif', 'extract', '--no-unpack', 'image.eif', 'raw']);
    expect((await readdir(join(folder, 'raw'))).sort()).toEqual([
      'cmdline',
      'kernel',
      'metadata.json',
      'ramdisk-0.cpio',
    ]);
  });

  it('name what differs and the PCRs that it moves', async () => {
    await writeFile(join(folder, 'other.eif'), image([{ name: 'app', mode: 0o100755, content: 'two!' }], 'debug'));
    const { code, out } = await nitro(['eif', 'diff', 'image.eif', 'other.eif']);
    expect(code).toBe(EXIT_CODE.POLICY);
    expect(out).toContain('[PCR0 PCR1] cmdline: "quiet" => "debug"');
    expect(out).toContain('changed 0 app: content 3 bytes => 4 bytes; mode -rwsr-xr-x => -rwxr-xr-x');
    expect(await nitro(['eif', 'diff', 'image.eif', 'image.eif'])).toEqual({ code: EXIT_CODE.OK, out: '', err: '' });
    expect(await json('eif', 'diff', '--json', 'image.eif', 'other.eif')).toMatchObject({ moved: ['PCR0', 'PCR1'] });
  });

  it('warn, and exit with 3 when they do', async () => {
    expect(await nitro(['eif', 'lint', 'image.eif'])).toEqual({ code: EXIT_CODE.OK, out: '', err: '' });
    await writeFile(join(folder, 'image.eif'), image([], 'debug'));
    const { code, out } = await nitro(['eif', 'lint', 'image.eif']);
    expect(code).toBe(EXIT_CODE.POLICY);
    expect(out).toMatch(/^warning CMDLINE_DEBUG: /);
    expect(await json('eif', 'lint', '--json', 'image.eif')).toHaveLength(1);
  });
});

describe('pcr', () => {
  it('calculates PCR3, PCR4, PCR8 and those of files and extensions', async () => {
    const { certificate } = await createSigner(folder, 'secp384r1', 1);
    await writeFile(join(folder, 'certificate.pem'), certificate);
    await writeFile(join(folder, 'empty'), '');
    expect((await nitro(['pcr', '--role-arn', ROLE])).out).toBe(`PCR3 ${PCR3}\n`);
    const pcrs = (await json(
      'pcr',
      '--json',
      '--instance-id',
      'i-1234567890abcdef0',
      '--input',
      'empty',
      '--signing-certificate',
      'certificate.pem',
    )) as Record<string, string>;
    expect(Object.keys(pcrs).sort()).toEqual(['PCR', 'PCR4', 'PCR8']);
    // The documented PCR2 of an image with one ramdisk is that of no bytes at all.
    expect(pcrs['PCR']).toMatch(/^21b9efbc184807662e966d34f390821309eeac/);
    const hex = Buffer.from(ROLE).toString('hex');
    expect((await nitro(['pcr', '--extend', `hex:${hex}`])).out).toBe(`Extended ${PCR3}\n`);
  });

  it.each([
    [['pcr']],
    [['pcr', '--role-arn', 'Webserver']],
    [['pcr', '--instance-id', 'x']],
    [['pcr', '--extend', 'hex:0']],
    [['pcr', '--extend', 'hex:00', '--from', '00']],
    [['pcr', '--role-arn', ROLE, '--from', '00'.repeat(48)]],
  ])('refuses %j as wrong use', async (args) => {
    expect((await nitro(args)).code).toBe(EXIT_CODE.USAGE);
  });
});

describe('kms-policy', () => {
  it('prints the statement as JSON, Terraform and CDK', async () => {
    const pcrs = await measureEif(join(folder, 'image.eif'));
    const statement = await json('kms-policy', 'image.eif', '--principal', ROLE, '--role-arn', ROLE);
    expect(statement).toMatchObject({
      Effect: 'Allow',
      Principal: { AWS: ROLE },
      Condition: {
        StringEqualsIgnoreCase: {
          'kms:RecipientAttestation:ImageSha384': pcrs.PCR0,
          'kms:RecipientAttestation:PCR1': pcrs.PCR1,
          'kms:RecipientAttestation:PCR2': pcrs.PCR2,
          'kms:RecipientAttestation:PCR3': PCR3,
        },
      },
    });
    for (const [format, text] of [
      ['terraform', 'aws_iam_policy_document'],
      ['cdk', 'addToResourcePolicy'],
    ] as const) {
      const { out } = await nitro(['kms-policy', 'image.eif', '--principal', ROLE, '--format', format]);
      expect(out).toContain(text);
      expect(out).toContain(pcrs.PCR0);
    }
  });

  it('refuses the zero PCR8 of an image without a signature, and a principal that is everybody', async () => {
    expect(await nitro(['kms-policy', 'image.eif', '--principal', ROLE, '--pcrs', '0,8'])).toMatchObject({
      code: EXIT_CODE.USAGE,
      out: '',
      err: expect.stringContaining('KMS_POLICY_ZERO_PCR') as string,
    });
    expect((await nitro(['kms-policy', 'image.eif', '--principal', '*'])).code).toBe(EXIT_CODE.USAGE);
    expect((await nitro(['kms-policy', 'image.eif', '--principal', ROLE, '--pcrs', '7'])).code).toBe(EXIT_CODE.USAGE);
  });

  it('warns of a policy that other images satisfy', async () => {
    const args = ['kms-policy', 'image.eif', '--principal', ROLE, '--pcrs', '1', '--json'];
    const { err, out } = await nitro(args);
    expect(err).toContain('POLICY_ALLOWS_ANY_APPLICATION');
    expect(JSON.parse(out)).toMatchObject({ warnings: [{ code: 'POLICY_ALLOWS_ANY_APPLICATION' }] });
  });
});
