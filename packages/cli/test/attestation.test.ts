import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CommandContext } from '@nitro-enclaves/cli';
import { run } from '@nitro-enclaves/cli';
import type { AttestationDocumentRequest } from '@nitro-enclaves/emulator';
import { createNitroPki, issueAttestationDocument, issueFlawedDocument } from '@nitro-enclaves/emulator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const NOW = Date.UTC(2026, 4, 17, 9, 30, 11, 250);
const AT = ['--at', new Date(NOW).toISOString()];
const MODULE_ID = 'i-1234567890abcdef0-enc0198bc571bf3e785';
const [PCR0, PCR1, PCR2] = ['a0', 'a1', 'a2'].map((byte) => byte.repeat(48));
const ZERO = '0'.repeat(96);
const PCRS = { 0: PCR0 ?? '', 1: PCR1 ?? '', 2: PCR2 ?? '', 3: ZERO, 4: 'a4'.repeat(48) };
const IMAGE = Object.entries(PCRS)
  .slice(0, 3)
  .flatMap(([index, value]) => ['--pcr', `${index}=${value}`]);
const AGE = ['--max-age', '5m'];

const pki = await createNitroPki({ seed: 'cli', clock: () => NOW });
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'attestation-command-'));
  await writeFile(join(folder, 'root.der'), pki.rootCertificate);
  const lines = Buffer.from(pki.rootCertificate).toString('base64').replace(/.{64}/g, '$&\n');
  await writeFile(join(folder, 'root.pem'), `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`);
  await writeFile(join(folder, 'document.cbor'), await issue());
  const measurements = { HashAlgorithm: 'Sha384 { ... }', PCR0, PCR1, PCR2 };
  await writeFile(join(folder, 'build.json'), JSON.stringify({ Measurements: measurements }));
});

afterAll(() => rm(folder, { recursive: true }));

const TRUST = ['--trust-anchor', 'root.der'];

function request(fields: Partial<AttestationDocumentRequest> = {}): AttestationDocumentRequest {
  return { moduleId: MODULE_ID, pcrs: PCRS, ...fields };
}

function issue(fields: Partial<AttestationDocumentRequest> = {}): Promise<Uint8Array> {
  return issueAttestationDocument(pki, request(fields));
}

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `nitro-enclaves attestation …` in this process. */
async function attestation(args: readonly string[], stdin: readonly Uint8Array[] = []): Promise<Outcome> {
  const outcome = { code: 0, stdout: '', stderr: '' };
  const context: CommandContext = {
    stdin: (async function* () {
      yield* stdin;
    })(),
    stdout: { write: (text) => (outcome.stdout += text) },
    stderr: { write: (text) => (outcome.stderr += text) },
    env: {},
    cwd: folder,
    signal: new AbortController().signal,
    exitWith: (code) => {
      outcome.code = code;
    },
  };
  await run(['attestation', ...args], context);
  return outcome;
}

describe('nitro-enclaves attestation verify', () => {
  it('accounts for each check, the registers and the chain, and exits with 0', async () => {
    const { code, stdout, stderr } = await attestation(['verify', 'document.cbor', ...TRUST, ...AT, ...IMAGE, ...AGE]);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).toContain('✓ The document is signed by the key of its leaf certificate');
    expect(stdout).toContain('- PCR3 is that of the stated IAM role');
    expect(stdout).toContain(`PCR0   ${PCR0}`);
    expect(stdout).toContain('zero   3');
    expect(stdout).toContain('CN=emulator.nitro-enclaves.invalid');
    expect(stdout).toMatch(/2019-10-28T13:28:05.000Z to 2049-10-28T14:28:05.000Z \(30 years 8 days\)/);
    expect(stdout).toContain('(3 hours 3 seconds)');
    expect(stdout).toContain('VERIFIED at 2026-05-17T09:30:11.250Z');
    expect(stdout).toContain('INSECURE: a custom trust anchor');
  });

  it.each(['base64', 'base64url', 'hex'] as const)(
    'takes a document as %s on standard input, in a file, and as the argument',
    async (encoding) => {
      const text = Buffer.from(await issue()).toString(encoding);
      await writeFile(join(folder, 'document.txt'), `${text}\n`);
      const options = [...TRUST, ...AT, ...IMAGE, ...AGE];
      expect(await attestation(['verify', ...options], [Buffer.from(text)])).toMatchObject({ code: 0 });
      expect(await attestation(['verify', '-', ...options], [Buffer.from(text)])).toMatchObject({ code: 0 });
      expect(await attestation(['verify', 'document.txt', ...options])).toMatchObject({ code: 0 });
      expect(await attestation(['verify', text, ...options])).toMatchObject({ code: 0 });
    },
  );

  it('prints JSON that scripts can read', async () => {
    const userData = new TextEncoder().encode('{"release":"1.0"}');
    const args = ['verify', '--json', ...TRUST, ...AT, ...IMAGE, ...AGE];
    const { code, stdout } = await attestation(args, [await issue({ userData })]);
    expect(code).toBe(0);
    const account = JSON.parse(stdout);
    expect(account).toMatchObject({
      verdict: 'verified',
      error: null,
      document: {
        moduleId: MODULE_ID,
        userDataText: '{"release":"1.0"}',
        pcrs: PCRS,
        image: { index: 0 },
        region: 'us-east-1',
      },
    });
    expect(account.checks).toContainEqual(expect.objectContaining({ check: 'signature', outcome: 'passed' }));
    expect(account.document.chain).toHaveLength(5);
  });

  it('says of a forged document what is wrong, and exits with 1', async () => {
    const forged = await issueFlawedDocument(pki, request(), 'signature-by-stranger');
    const { code, stdout, stderr } = await attestation(['verify', ...TRUST, ...AT, ...IMAGE, ...AGE], [forged]);
    expect(code).toBe(1);
    expect(stdout).toContain('✗ The document is signed by the key of its leaf certificate');
    expect(stdout).toContain('REFUSED SIGNATURE');
    expect(stdout).not.toContain('PCR0 ');
    expect(stderr).toMatch(/^error: .*\(SIGNATURE\)\n$/);
  });

  it('says of a genuine document of another image so, and exits with 3', async () => {
    const other = await issue({ pcrs: { ...PCRS, 2: 'ff'.repeat(48) } });
    const args = ['verify', '--json', ...TRUST, ...AT, ...IMAGE, ...AGE];
    const { code, stdout } = await attestation(args, [other]);
    expect(code).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({
      verdict: 'refused',
      error: { code: 'IMAGE_MISMATCH', path: '$.pcrs' },
      document: null,
    });
  });

  it('lists everything that is wrong at once', async () => {
    const args = ['verify', ...TRUST, ...IMAGE, ...AGE, '--region', 'eu-west-1', '--at', String(NOW + 86_400_000)];
    const { code, stdout } = await attestation(args, [await issue({ pcrs: { ...PCRS, 0: ZERO } })]);
    expect(code).toBe(1);
    for (const failed of ['PATH_EXPIRED', 'DEBUG_MODE', 'REGION_MISMATCH', 'TOO_OLD']) expect(stdout).toContain(failed);
  });

  it('exits with 2 when the policy names no image or no freshness rule', async () => {
    expect(await attestation(['verify', 'document.cbor', ...TRUST, ...AGE])).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('POLICY_IMAGE_MISSING'),
    });
    expect(await attestation(['verify', 'document.cbor', ...TRUST, ...IMAGE])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('POLICY_FRESHNESS_MISSING'),
    });
  });

  it.each([
    ['--pcr', '0=ab'],
    ['--pcr', ZERO],
    ['--max-age', '5'],
    ['--max-age', 'soon'],
    ['--nonce', 'xyz'],
    ['--at', 'yesterday'],
    ['--kind', 'sgx'],
    ['--unknown', '1'],
  ])('exits with 2 for %s %s', async (option, value) => {
    const { code, stderr } = await attestation(['verify', 'document.cbor', option, value]);
    expect(code).toBe(2);
    expect(stderr).toContain(option);
  });

  it.each([
    ['--at', '2026-05-17T09:30:11Z'],
    ['--nonce', '07'.repeat(16)],
    ['--max-age', '5m'],
    ['--clock-skew', '5s'],
    ['--allow-any-age', ''],
  ])('exits with 2 for --archived with %s, which would count for nothing', async (option, value) => {
    const args = ['verify', 'document.cbor', ...TRUST, ...IMAGE, '--archived', option, ...(value ? [value] : [])];
    const { code, stdout, stderr } = await attestation(args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(`'--archived' cannot be used with option '${option}`);
  });

  it('exits with 2 for two values of one register, of which one would count for nothing', async () => {
    const twice = ['--pcr', `16=${ZERO}`, '--pcr', `16=${'ab'.repeat(48)}`];
    const { code, stderr } = await attestation(['verify', 'document.cbor', ...TRUST, ...IMAGE, ...AGE, ...twice]);
    expect(code).toBe(2);
    expect(stderr).toContain('PCR16 is there already');
  });

  it('exits with 2 for a nonce with a maximum age, of which one would count for nothing', async () => {
    const args = ['verify', 'document.cbor', ...TRUST, ...IMAGE, ...AGE, '--nonce', '07'.repeat(16)];
    expect(await attestation(args)).toMatchObject({ code: 2, stderr: expect.stringContaining('--max-age') });
  });

  it('never passes over a clock skew: it adds to the freshness rule, and is none of its own', async () => {
    const early = await issue({ timestamp: NOW + 2000 });
    const args = ['verify', ...TRUST, ...AT, ...IMAGE];
    const verify = (...options: readonly string[]) => attestation([...args, ...options], [early]);
    expect(await verify('--max-age', '5m', '--clock-skew', '2s')).toMatchObject({ code: 0 });
    expect(await verify('--max-age', '5m', '--clock-skew', '1s')).toMatchObject({ code: 3 });
    await writeFile(join(folder, 'fresh.json'), JSON.stringify({ freshness: { maxAge: 300_000, clockSkew: 5000 } }));
    expect(await verify('--policy', 'fresh.json')).toMatchObject({ code: 0 });
    expect(await verify('--policy', 'fresh.json', '--clock-skew', '1s')).toMatchObject({ code: 3 });
    expect(await verify('--clock-skew', '1s')).toMatchObject({ code: 2 });
    expect(await verify('--clock-skew', '1s', '--allow-any-age')).toMatchObject({ code: 2 });
  });

  it('takes the registers of an image by the kind that is stated, by a flag or in the policy file', async () => {
    const document = await issue({ kind: 'nitrotpm', pcrs: { ...PCRS, 4: 'b4'.repeat(48), 12: ZERO } });
    const args = ['verify', ...TRUST, ...AT, ...AGE];
    const image = ['--pcr', `4=${'b4'.repeat(48)}`, '--pcr', `12=${ZERO}`];
    await writeFile(join(folder, 'kind.json'), JSON.stringify({ kind: 'nitrotpm' }));
    expect(await attestation([...args, ...image, '--kind', 'nitrotpm'], [document])).toMatchObject({ code: 0 });
    expect(await attestation([...args, ...image, '--policy', 'kind.json'], [document])).toMatchObject({ code: 0 });
    // What nitro-tpm-pcr-compute prints of an AMI.
    const measurements = { HashAlgorithm: 'SHA384 { ... }', PCR4: 'b4'.repeat(48), PCR12: ZERO };
    await writeFile(join(folder, 'ami.json'), JSON.stringify({ Measurements: measurements }));
    const reference = ['--kind', 'nitrotpm', '--measurements', 'ami.json'];
    expect(await attestation([...args, ...reference], [document])).toMatchObject({ code: 0 });
  });

  it('exits with 4 when the document or a policy file cannot be read', async () => {
    expect(await attestation(['verify', 'absent.cbor', ...TRUST, ...IMAGE, ...AGE])).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('absent.cbor'),
    });
    expect(await attestation(['verify', 'document.cbor', '--policy', 'absent.json'])).toMatchObject({ code: 4 });
  });

  it('says in one sentence what is to be given instead of a folder, and exits with 4', async () => {
    for (const args of [
      ['decode', '.'],
      ['verify', '.', ...TRUST, ...IMAGE, ...AGE],
      ['verify', '-', '--policy', '.'],
    ]) {
      const { code, stdout, stderr } = await attestation(args);
      expect([code, stdout]).toEqual([4, '']);
      expect(stderr).toMatch(/^error: expected a file, found a folder: give the file itself .*\n$/);
    }
  });

  it.each([
    ['nothing', '', 'DOCUMENT_EMPTY'],
    ['a PEM', '-----BEGIN CERTIFICATE-----\nMIIC\n', 'DOCUMENT_IS_TEXT'],
    ['a JSON', '{"document":"hESh"}', 'DOCUMENT_IS_TEXT'],
    ['text', 'Hello, world!\n', 'DOCUMENT_IS_TEXT'],
  ])('exits with 1 and one sentence for %s', async (_, text, code) => {
    const outcome = await attestation(['verify', ...TRUST, ...AT, ...IMAGE, ...AGE], [Buffer.from(text)]);
    expect(outcome).toMatchObject({ code: 1, stdout: '' });
    expect(outcome.stderr).toMatch(new RegExp(`^error: expected an attestation document.*\\(${code}\\)\n$`));
  });

  it('takes no long argument for a path: JSON with a document in it is said to be JSON', async () => {
    const json = JSON.stringify({ document: Buffer.from(await issue()).toString('base64') });
    const { code, stderr } = await attestation(['decode', json]);
    expect(code).toBe(1);
    expect(stderr).toBe(
      'error: expected an attestation document, found JSON: give the value in it (DOCUMENT_IS_TEXT)\n',
    );
  });

  it('stops reading an input that does not end', async () => {
    const chunk = new Uint8Array(65_536).fill(0x84);
    const endless = Array.from({ length: 1000 }, () => chunk);
    const outcome = await attestation(['verify', ...TRUST, ...IMAGE, ...AGE], endless);
    expect(outcome).toMatchObject({ code: 1, stderr: expect.stringContaining('DOCUMENT_TOO_LARGE') });
  });

  it('takes the image from the output of nitro-cli, and a trust anchor in PEM', async () => {
    const args = [
      'verify',
      'document.cbor',
      '--trust-anchor',
      'root.pem',
      ...AT,
      '--measurements',
      'build.json',
      ...AGE,
    ];
    const { code, stdout } = await attestation(args);
    expect(code).toBe(0);
    expect(stdout).toContain('image: build.json');
  });

  it('compares every requirement that a flag states', async () => {
    const bytes = Buffer.from('of the enclave');
    const document = await issue({ nonce: Buffer.alloc(16, 7), publicKey: bytes, userData: bytes });
    const base = ['verify', ...TRUST, ...AT, ...IMAGE];
    const nonce = ['--nonce', '07'.repeat(16)];
    const right = [
      ...base,
      ...nonce,
      '--public-key',
      'utf8:of the enclave',
      '--user-data',
      `base64:${bytes.toString('base64')}`,
    ];
    expect(await attestation([...right, '--pcr', `3=${ZERO}`, '--region', 'us-east-1'], [document])).toMatchObject({
      code: 0,
    });
    for (const [wrong, code] of [
      [['--nonce', '08'.repeat(16)], 'NONCE_MISMATCH'],
      [[...nonce, '--public-key', '00'], 'PUBLIC_KEY_MISMATCH'],
      [[...nonce, '--user-data', 'utf8:other'], 'USER_DATA_MISMATCH'],
      [[...nonce, '--pcr', `3=${'ab'.repeat(48)}`], 'PCR_MISMATCH'],
      [[...nonce, '--role-arn', 'arn:aws:iam::1:role/x'], 'ROLE_MISMATCH'],
      [[...nonce, '--instance-id', 'i-0'], 'INSTANCE_MISMATCH'],
      [[...nonce, '--all-pcrs-locked'], 'PCRS_NOT_ALL_LOCKED'],
    ] as const) {
      const outcome = await attestation([...base, ...wrong], [document]);
      expect(outcome).toMatchObject({ code: 3, stderr: expect.stringContaining(code) });
    }
  });

  it('judges by a policy file, to which flags add', async () => {
    const policy = {
      id: 'production',
      images: [{ name: '1.0', pcrs: { 0: PCR0, 1: PCR1, 2: PCR2 } }],
      freshness: { nonce: '07'.repeat(16) },
      userData: 'utf8:hello',
      customTrustAnchor: `base64:${Buffer.from(pki.rootCertificate).toString('base64')}`,
    };
    await writeFile(join(folder, 'policy.json'), JSON.stringify(policy));
    const document = await issue({ nonce: Buffer.alloc(16, 7), userData: Buffer.from('hello') });
    const args = ['verify', '--json', '--policy', 'policy.json', ...AT];
    const { code, stdout } = await attestation(args, [document]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout).document).toMatchObject({ policyId: 'production', image: { name: '1.0' } });
    expect(await attestation([...args, '--region', 'eu-west-1'], [document])).toMatchObject({ code: 3 });
  });

  it('adds images to those of a policy file, and to nothing that is no list of them', async () => {
    const pcrs = { 0: 'b0'.repeat(48), 1: 'b1'.repeat(48), 2: 'b2'.repeat(48) };
    const args = ['verify', 'document.cbor', ...TRUST, ...AT, ...IMAGE, ...AGE, '--policy', 'images.json'];
    await writeFile(join(folder, 'images.json'), JSON.stringify({ images: [{ name: 'other', pcrs }] }));
    expect(await attestation(args)).toMatchObject({ code: 0, stdout: expect.stringContaining('image: number 1') });
    await writeFile(join(folder, 'images.json'), JSON.stringify({ images: { name: 'other', pcrs } }));
    expect(await attestation(args)).toMatchObject({ code: 2, stderr: expect.stringContaining('POLICY_IMAGE_MISSING') });
  });

  it.each([
    ['no JSON', '{', 'POLICY_NOT_AN_OBJECT'],
    ['an array', '[]', 'POLICY_NOT_AN_OBJECT'],
    ['an option that is none', '{"image":[]}', 'POLICY_UNKNOWN_OPTION'],
    ['an option named like a prototype', '{"__proto__":{"images":[]}}', 'POLICY_UNKNOWN_OPTION'],
    ['bytes that are none', '{"freshness":{"nonce":"zz"}}', 'POLICY_OPTION_TYPE'],
    ['an opt-in of text', '{"allowAnyImage":"yes","allowAnyAge":true}', 'POLICY_OPTION_TYPE'],
  ])('exits with 2 for a policy file of %s', async (_, text, code) => {
    await writeFile(join(folder, 'wrong.json'), text);
    const outcome = await attestation(['verify', 'document.cbor', '--policy', 'wrong.json']);
    expect(outcome).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(code) });
  });

  it('loosens only by flags that say so', async () => {
    const debug = await issue({ pcrs: { ...PCRS, 0: ZERO, 1: ZERO, 2: ZERO } });
    const base = ['verify', ...TRUST, ...AT, '--allow-any-image', '--allow-any-age'];
    expect(await attestation(base, [debug])).toMatchObject({ code: 3, stderr: expect.stringContaining('DEBUG_MODE') });
    const { code, stdout } = await attestation([...base, '--allow-debug-mode'], [debug]);
    expect(code).toBe(0);
    expect(stdout).toContain('INSECURE: debug mode');
  });

  it('verifies a document of an archive at its own time, and says so', async () => {
    const old = await issue({ timestamp: Date.UTC(2023, 0, 1) });
    const { code, stdout } = await attestation(['verify', '--archived', ...TRUST, ...IMAGE], [old]);
    expect(code).toBe(0);
    expect(stdout).toContain('ARCHIVED at 2023-01-01T00:00:00.000Z');
    expect(await attestation(['verify', ...TRUST, ...IMAGE, '--allow-any-age'], [old])).toMatchObject({ code: 1 });
  });
});

describe('nitro-enclaves attestation decode', () => {
  it('shows what a document says, and first that nothing was verified', async () => {
    const forged = await issueFlawedDocument(pki, request(), 'signature-by-stranger');
    const { code, stdout } = await attestation(['decode'], [forged]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^NOT VERIFIED/);
    expect(stdout).toContain(MODULE_ID);
    expect(stdout).toContain(`PCR0   ${PCR0}`);
    expect(stdout).toContain('(30 years 8 days)');
  });

  it('prints JSON', async () => {
    const { code, stdout } = await attestation(['decode', 'document.cbor', '--json']);
    expect(code).toBe(0);
    const account = JSON.parse(stdout);
    expect(account).toMatchObject({ verdict: 'not verified', document: { moduleId: MODULE_ID, nonce: null } });
    expect(account.document.chain).toHaveLength(5);
  });

  it('lets no document write to the terminal', async () => {
    const moduleId = '\u001b[2J\u0007evil';
    const document = await issueAttestationDocument(pki, request(), {
      fields: (fields) => fields.set('module_id', moduleId),
    });
    const { stdout } = await attestation(['decode'], [document]);
    expect(stdout).toContain('\\u001b[2J\\u0007evil');
    expect(stdout).not.toContain('\u001b');
  });

  it('lets no user data turn the direction of the lines around it, nor write to the terminal, in text and in JSON', async () => {
    const userData = new TextEncoder().encode('exe.\u202egpj\u0085\u009b2Jé😀');
    for (const flags of [[], ['--json']]) {
      const { stdout } = await attestation(['decode', ...flags], [await issue({ userData })]);
      expect(stdout).toContain('exe.\\u202egpj\\u0085\\u009b2Jé😀');
    }
  });

  it('names the issuer and the serial number of each certificate in JSON, as deny-lists take them', async () => {
    const { stdout } = await attestation(['decode', 'document.cbor', '--json']);
    const leaf = JSON.parse(stdout).document.chain.at(-1);
    const denied = { revoked: [{ issuer: leaf.issuer, serialNumber: leaf.serialNumber }] };
    await writeFile(join(folder, 'denied.json'), JSON.stringify(denied));
    const args = ['verify', 'document.cbor', ...TRUST, ...AT, ...IMAGE, ...AGE, '--policy', 'denied.json'];
    expect(await attestation(args)).toMatchObject({ code: 3, stderr: expect.stringContaining('REVOKED') });
  });

  it('says of a certificate that is none so', async () => {
    const document = await issueAttestationDocument(pki, request(), {
      fields: (fields) => fields.set('certificate', Uint8Array.of(0x30, 0x00)),
    });
    const { code, stdout } = await attestation(['decode'], [document]);
    expect(code).toBe(0);
    expect(stdout).toContain('  not a certificate\n');
    expect(stdout).not.toContain('1970');
  });

  it('exits with 1 when the bytes are no document', async () => {
    expect(await attestation(['decode'], [Uint8Array.of(0x84, 0x00)])).toMatchObject({ code: 1, stdout: '' });
  });
});
