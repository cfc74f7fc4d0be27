import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { customTrustAnchor, parseAttestationDocument, verifyAttestationDocument } from '@nitro-enclaves/attestation';
import type { CommandContext, ExitCode } from '@nitro-enclaves/cli';
import { EXIT_CODE, run } from '@nitro-enclaves/cli';
import type { EmulatedEnclave, Emulator } from '@nitro-enclaves/emulator';
import { startEmulator } from '@nitro-enclaves/emulator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { application, ask } from '../../emulator/test/application.ts';

let emulator: Emulator;
let enclave: EmulatedEnclave;
let environment: Record<string, string>;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cli-nsm-'));
  emulator = await startEmulator({ seed: 'cli nsm' });
  enclave = await emulator.runEnclave(application({ memoryMiB: 256 }));
  ({ environment } = await ask(emulator, enclave, { ask: 'environment' }));
});
afterAll(async () => {
  await emulator.close();
  await rm(folder, { recursive: true });
});

interface Ended {
  readonly code: ExitCode;
  readonly out: Buffer;
  readonly err: string;
}

/** Runs a command as a process of the emulated enclave would, or with no emulator about. */
async function nitro(args: readonly string[], env: CommandContext['env'] = environment): Promise<Ended> {
  const [out, err]: [Uint8Array[], string[]] = [[], []];
  let code: ExitCode = EXIT_CODE.OK;
  await run(args, {
    stdin: (async function* () {})(),
    stdout: { write: (bytes) => out.push(Buffer.from(bytes)) },
    stderr: { write: (text) => err.push(text.toString()) },
    env,
    cwd: folder,
    signal: new AbortController().signal,
    exitWith: (exit) => {
      code = exit;
    },
  });
  return { code, out: Buffer.concat(out), err: err.join('') };
}

const json = async (...args: readonly string[]) => JSON.parse((await nitro([...args, '--json'])).out.toString());
const text = async (...args: readonly string[]) => (await nitro(args)).out.toString();

describe('nsm describe', () => {
  it('shows the module', async () => {
    expect(await json('nsm', 'describe')).toMatchObject({ moduleId: enclave.enclaveId, maxPcrs: 32, digest: 'SHA384' });
    expect(await text('nsm', 'describe')).toContain(`module id    ${enclave.enclaveId}\n`);
  });
});

describe('nsm pcr', () => {
  it('shows all PCRs, with what is locked', async () => {
    const pcrs = await json('nsm', 'pcr');
    expect(pcrs).toHaveLength(32);
    expect(pcrs[0]).toEqual({ index: 0, locked: true, value: enclave.describe().Measurements.PCR0 });
    expect(pcrs[31]).toEqual({ index: 31, locked: false, value: '0'.repeat(96) });
  });

  it('shows the ones that are named, in their order', async () => {
    expect(await text('nsm', 'pcr', '31', '4')).toMatch(/^PCR31 open {4}0{96}\nPCR4 {2}locked {2}[0-9a-f]{96}\n$/);
  });

  it('extends and locks the ones that are named', async () => {
    const value = createHash('sha384').update(Buffer.alloc(48)).update('release 7').digest('hex');
    expect(await json('nsm', 'pcr', '16', '17', '--extend', 'utf8:release 7', '--lock')).toEqual([
      { index: 16, locked: true, value },
      { index: 17, locked: true, value },
    ]);
    const again = await nitro(['nsm', 'pcr', '16', '--extend', '00']);
    expect(again.code).toBe(EXIT_CODE.UNAVAILABLE);
    expect(again.err).toContain('NSM_READ_ONLY_INDEX');
  });

  it.each([
    [['nsm', 'pcr', '32']],
    [['nsm', 'pcr', '-1']],
    [['nsm', 'pcr', 'sixteen']],
    [['nsm', 'pcr', '--lock']],
    [['nsm', 'pcr', '--extend', '00']],
    [['nsm', 'pcr', '16', '--extend', 'xyz']],
  ])('refuses %j', async (args) => {
    const { code, out } = await nitro(args);
    expect({ code, out: out.toString() }).toEqual({ code: EXIT_CODE.USAGE, out: '' });
  });
});

describe('nsm attest', () => {
  it('prints a document that verifies by the root of the emulator, with what it was given', async () => {
    const fields = ['--nonce', '0a'.repeat(16), '--user-data', 'utf8:hello', '--public-key', 'base64:AQID'];
    const document = Buffer.from(await text('nsm', 'attest', ...fields), 'base64');
    const { PCR0, PCR1, PCR2 } = enclave.describe().Measurements;
    const verified = await verifyAttestationDocument(document, {
      images: [{ pcrs: { 0: PCR0, 1: PCR1, 2: PCR2 } }],
      freshness: { nonce: new Uint8Array(16).fill(0x0a) },
      [customTrustAnchor]: emulator.rootCertificate,
    });
    expect(new TextDecoder().decode(verified.userData ?? undefined)).toBe('hello');
    expect([...(verified.publicKey ?? [])]).toEqual([1, 2, 3]);
  });

  it('writes the document itself to a file', async () => {
    const { out, err } = await nitro(['nsm', 'attest', '-o', 'document.bin']);
    expect(out.length).toBe(0);
    const document = await readFile(join(folder, 'document.bin'));
    expect(err).toContain(`${document.length} bytes`);
    expect(parseAttestationDocument(document).moduleId).toBe(enclave.enclaveId);
  });

  it('prints JSON, beside a file or without one', async () => {
    const { document } = await json('nsm', 'attest', '-o', 'document.bin');
    expect(Buffer.from(document, 'base64')).toEqual(await readFile(join(folder, 'document.bin')));
  });

  it('refuses more than a document holds', async () => {
    expect((await nitro(['nsm', 'attest', '--nonce', '00'.repeat(1025)])).code).toBe(EXIT_CODE.USAGE);
  });
});

describe('nsm random', () => {
  it('prints as many bytes as asked for, in any encoding', async () => {
    expect(await text('nsm', 'random', '300')).toMatch(/^[0-9a-f]{600}\n$/);
    expect(Buffer.from(await text('nsm', 'random', '33', '--encoding', 'base64'), 'base64').length).toBe(33);
    expect((await nitro(['nsm', 'random', '1000', '--encoding', 'raw'])).out.length).toBe(1000);
    expect(await text('nsm', 'random', '16')).not.toBe(await text('nsm', 'random', '16'));
  });

  it('prints JSON in either text encoding', async () => {
    expect(await json('nsm', 'random', '8')).toEqual({ random: expect.stringMatching(/^[0-9a-f]{16}$/) });
    const { random } = await json('nsm', 'random', '9', '--encoding', 'base64');
    expect(Buffer.from(random, 'base64').length).toBe(9);
  });

  it.each([['67108865'], ['-1'], ['1.5'], ['many'], ['99999999999']])('refuses %s bytes', async (length) => {
    expect((await nitro(['nsm', 'random', length])).code).toBe(EXIT_CODE.USAGE);
  });
});

describe('where there is no enclave', () => {
  it('says so, and what to do', async () => {
    const { code, err } = await nitro(['nsm', 'describe'], {});
    expect(code).toBe(EXIT_CODE.UNAVAILABLE);
    expect(err).toMatch(/NSM_UNAVAILABLE/);
  });

  it('says so when the emulator has gone', async () => {
    const { code, err } = await nitro(['nsm', 'describe'], { NITRO_ENCLAVES_EMULATOR: join(folder, 'gone') });
    expect(code).not.toBe(EXIT_CODE.OK);
    expect(err).toContain('EMULATOR_ABSENT');
  });
});

describe('doctor', () => {
  it('knows an enclave of the emulator', async () => {
    const { place, findings } = await json('doctor');
    expect(place).toBe('emulated-enclave');
    expect(findings).toContainEqual({ what: 'NSM', state: 'ok', found: enclave.enclaveId });
    expect(await text('doctor')).toContain('This is an enclave of the emulator');
  });
});
