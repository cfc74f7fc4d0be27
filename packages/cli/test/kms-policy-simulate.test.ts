import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExitCode } from '@nitro-enclaves/cli';
import { EXIT_CODE, run } from '@nitro-enclaves/cli';
import { createNitroPki, issueAttestationDocument } from '@nitro-enclaves/emulator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const ROLE = 'arn:aws:iam::111122223333:role/enclave';
const IMAGE = 'a0'.repeat(48);
const OTHER = 'b0'.repeat(48);
const POLICY = {
  Version: '2012-10-17',
  Statement: [
    {
      Sid: 'Administration',
      Effect: 'Allow',
      Principal: { AWS: 'arn:aws:iam::111122223333:root' },
      Action: 'kms:Put*',
      Resource: '*',
    },
    {
      Sid: 'Enclave',
      Effect: 'Allow',
      Principal: { AWS: ROLE },
      Action: ['kms:Decrypt', 'kms:GenerateDataKey'],
      Resource: '*',
      Condition: {
        StringEqualsIgnoreCase: { 'kms:RecipientAttestation:ImageSha384': IMAGE },
        StringEquals: { 'kms:EncryptionContext:tenant': 'a' },
      },
    },
  ],
};

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'simulate-'));
  const pki = await createNitroPki();
  const document = await issueAttestationDocument(pki, {
    moduleId: 'i-1234567890abcdef0-enc0123456789abcdef',
    pcrs: { 0: IMAGE, 1: OTHER, 2: OTHER },
  });
  await writeFile(join(folder, 'policy.json'), JSON.stringify(POLICY));
  await writeFile(join(folder, 'document.bin'), document);
  await writeFile(join(folder, 'document.txt'), Buffer.from(document).toString('base64'));
  await writeFile(join(folder, 'wrong.json'), '{"Statement": []}');
  await writeFile(
    join(folder, 'nothing.json'),
    JSON.stringify({ Statement: { Effect: 'Allow', Action: 's3:*', Resource: '*' } }),
  );
});

afterAll(() => rm(folder, { recursive: true }));

interface Ended {
  readonly code: ExitCode;
  readonly out: string;
  readonly err: string;
}

const simulate = (...args: readonly string[]) => nitro('kms-policy', 'simulate', ...args);

async function nitro(...args: readonly string[]): Promise<Ended> {
  let [code, out, err]: [ExitCode, string, string] = [EXIT_CODE.OK, '', ''];
  await run(args, {
    stdin: (async function* () {})(),
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    env: {},
    cwd: folder,
    signal: new AbortController().signal,
    exitWith: (exit) => {
      code = exit;
    },
  });
  return { code, out, err };
}

describe('kms-policy simulate', () => {
  it('shows no defaults in its help that nobody can give', async () => {
    for (const area of [
      ['kms-policy', 'simulate'],
      ['attestation', 'verify'],
      ['emulator', 'run-enclave'],
    ]) {
      const { out } = await nitro(...area, '--help');
      expect(out).toContain('Usage:');
      expect(out).not.toMatch(/default: (?:\[\]|\{\})/);
    }
  });

  it.each(['document.bin', 'document.txt'])('says yes for the image of the policy: %s', async (document) => {
    const { code, out } = await simulate('policy.json', '--document', document, '--encryption-context', 'tenant=a');
    expect(code).toBe(EXIT_CODE.OK);
    expect(out).toBe(
      [
        'arn:aws:sts::111122223333:assumed-role/enclave/emulator wants kms:Decrypt on arn:aws:kms:us-east-1:111122223333:key/00000000-0000-0000-0000-000000000000',
        'Allowed by statement 1 (Enclave) of the key policy:',
        `  met: StringEqualsIgnoreCase kms:RecipientAttestation:ImageSha384: expected ${IMAGE}, found ${IMAGE}`,
        '  met: StringEquals kms:EncryptionContext:tenant: expected a, found a',
        '',
      ].join('\n'),
    );
  });

  it('says no for another image, and which condition decided', async () => {
    const { code, out } = await simulate('policy.json', '--pcr', `0=${OTHER}`, '--encryption-context', 'tenant=a');
    expect(code).toBe(EXIT_CODE.POLICY);
    expect(out).toContain('Denied: no statement allows it. Closest is statement 1 (Enclave) of the key policy:');
    expect(out).toContain(
      `  not met: StringEqualsIgnoreCase kms:RecipientAttestation:ImageSha384: expected ${IMAGE}, found ${OTHER}`,
    );
    expect(out).not.toContain('tenant');
  });

  it('says no without a document', async () => {
    const { code, out } = await simulate('policy.json');
    expect(code).toBe(EXIT_CODE.POLICY);
    expect(out).toContain('ImageSha384: expected a0');
    expect(out).toContain('found none');
  });

  it('takes action, principal, key, context and time', async () => {
    const key = 'arn:aws:kms:eu-west-1:111122223333:key/11111111-2222-3333-4444-555555555555';
    const args = ['--action', 'kms:PutKeyPolicy', '--principal', 'arn:aws:iam::111122223333:root', '--resource', key];
    const { code, out } = await simulate(
      'policy.json',
      ...args,
      '--context',
      'aws:SourceIp=203.0.113.1',
      '--at',
      '2026-01-15T12:00:00Z',
    );
    expect(code).toBe(EXIT_CODE.OK);
    expect(out).toContain(`arn:aws:iam::111122223333:root wants kms:PutKeyPolicy on ${key}`);
  });

  it("asks the caller's own policies where the key policy leaves it to them", async () => {
    const args = ['--action', 'kms:PutKeyPolicy', '--principal', ROLE, '--identity-policy', 'nothing.json'];
    expect((await simulate('policy.json', ...args)).code).toBe(EXIT_CODE.POLICY);
    expect((await simulate('policy.json', ...args.slice(0, -2))).code).toBe(EXIT_CODE.OK);
  });

  it('prints everything as JSON', async () => {
    const { out } = await simulate('policy.json', '--pcr', `0=${IMAGE}`, '--encryption-context', 'tenant=a', '--json');
    expect(JSON.parse(out)).toMatchObject({
      decision: 'allowed',
      decidedBy: { policy: 'key', statement: 1, sid: 'Enclave' },
      statements: [{ applies: false, mismatch: { element: 'Action' } }, { applies: true }, { policy: 'identity' }],
    });
  });

  it.each([
    ['a policy of the wrong form', ['wrong.json'], EXIT_CODE.USAGE],
    ['a policy that does not exist', ['absent.json'], EXIT_CODE.UNAVAILABLE],
    ['a PCR without a value', ['policy.json', '--pcr', '0'], EXIT_CODE.USAGE],
    ['a PCR that is too short', ['policy.json', '--pcr', '0=00'], EXIT_CODE.USAGE],
    ['a document and PCRs', ['policy.json', '--pcr', `0=${IMAGE}`, '--document', 'document.bin'], EXIT_CODE.USAGE],
    ['a principal that is none', ['policy.json', '--principal', 'alice'], EXIT_CODE.USAGE],
    ['a time in words', ['policy.json', '--at', 'yesterday'], EXIT_CODE.USAGE],
    ['a time without a zone', ['policy.json', '--at', '2026-01-15T12:00:00'], EXIT_CODE.USAGE],
    ['a number for a time', ['policy.json', '--at', '1'], EXIT_CODE.USAGE],
    ['no policy', [], EXIT_CODE.USAGE],
    ['a PCR twice', ['policy.json', '--pcr', `0=${IMAGE}`, '--pcr', `0=${OTHER}`], EXIT_CODE.USAGE],
    ['a PCR by another spelling', ['policy.json', '--pcr', `00=${IMAGE}`], EXIT_CODE.USAGE],
    ['a PCR by an exponent', ['policy.json', '--pcr', `1e0=${IMAGE}`], EXIT_CODE.USAGE],
    [
      'a pair twice',
      ['policy.json', ...['a', 'b'].flatMap((v) => ['--encryption-context', `t=${v}`])],
      EXIT_CODE.USAGE,
    ],
    ['a NitroTPM without measurements', ['policy.json', '--nitro-tpm'], EXIT_CODE.USAGE],
    ['a NitroTPM of a document', ['policy.json', '--nitro-tpm', '--document', 'document.bin'], EXIT_CODE.USAGE],
    ['a key that is no ARN', ['policy.json', '--resource', 'alias/orders'], EXIT_CODE.USAGE],
    ['the ARN of something else', ['policy.json', '--resource', 'arn:aws:s3:::bucket'], EXIT_CODE.USAGE],
  ])('refuses %s', async (_, args, code) => {
    const ended = await simulate(...args);
    expect([ended.code, ended.out]).toEqual([code, '']);
    expect(ended.err).toContain('error: ');
  });
});
