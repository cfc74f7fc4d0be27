import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NITRO_CLI_ERRORS, NitroCli, NitroCliError, type NitroCliErrorCode } from '../src/index.ts';
import { nitroCliErrorCode } from '../src/launch/nitro-cli-error.ts';

let folder: string;
let eifPath: string;
let hugepagesFolder: string;

const MIB = 1_048_576;
const behave = (behaviour: object) => writeFile(join(folder, 'behaviour.json'), JSON.stringify(behaviour));
const calls = async (): Promise<{ command: string; rest: string[] }[]> =>
  JSON.parse(await readFile(join(folder, 'calls.json'), 'utf8'));
const nitroCli = (options: { timeout?: number; runTimeout?: number; command?: string } = {}) =>
  new NitroCli({
    command: fileURLToPath(new URL('support/nitro-cli.mjs', import.meta.url)),
    env: { ...process.env, FAKE_NITRO_CLI: folder },
    hugepagesFolder,
    ...options,
  });
const enclave = () => ({ eifPath, memoryMiB: 256, cpuCount: 2 });

async function setFreeHugepages(count2MiB: number): Promise<void> {
  await mkdir(join(hugepagesFolder, 'hugepages-2048kB'), { recursive: true });
  await writeFile(join(hugepagesFolder, 'hugepages-2048kB', 'free_hugepages'), `${count2MiB}\n`);
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nitro-cli-'));
  eifPath = join(folder, 'image.eif');
  hugepagesFolder = join(folder, 'hugepages');
  await writeFile(eifPath, Buffer.alloc(MIB));
  await setFreeHugepages(1024);
});
afterEach(() => rm(folder, { recursive: true }));

describe('nitro-cli as a typed client', () => {
  it("starts an enclave with the options' flags, describes and ends it", async () => {
    const cli = nitroCli();
    const started = await cli.runEnclave({ ...enclave(), enclaveCid: 42, enclaveName: 'payments', debugMode: true });
    expect(started).toMatchObject({ EnclaveName: 'payments', EnclaveCID: 42, NumberOfCPUs: 2, MemoryMiB: 256 });
    expect(await cli.describeEnclaves()).toMatchObject([{ EnclaveCID: 42, State: 'RUNNING', Flags: 'DEBUG_MODE' }]);
    await cli.terminateEnclave(started.EnclaveID);
    expect(await cli.describeEnclaves()).toEqual([]);
    const [run] = await calls();
    expect(run?.rest.join(' ')).toBe(
      `--eif-path ${eifPath} --memory 256 --cpu-count 2 --enclave-cid 42 --enclave-name payments --debug-mode`,
    );
  });

  it('builds an image and gives its measurements', async () => {
    const measurements = await nitroCli().buildEnclave({
      dockerUri: 'app:1',
      outputFile: 'a.eif',
      name: 'app',
      version: '1',
    });
    expect(measurements).toMatchObject({ PCR0: '0a', PCR1: '0b', PCR2: '0c' });
    expect((await calls())[0]?.rest.join(' ')).toBe('--docker-uri app:1 --output-file a.eif --name app --version 1');
  });

  it('reads the console as a stream', async () => {
    const cli = nitroCli();
    const { EnclaveID } = await cli.runEnclave({ ...enclave(), debugMode: true });
    expect(await text(cli.console(EnclaveID))).toContain('hello from the enclave');
  });

  it('says E44 for the console of an enclave that is not in debug mode', async () => {
    const cli = nitroCli();
    const { EnclaveID } = await cli.runEnclave(enclave());
    await expect(text(cli.console(EnclaveID))).rejects.toMatchObject({ name: 'NitroCliError', code: 'E44' });
  });

  it('makes starts wait for one another', async () => {
    await behave({ startDelay: 150 });
    const cli = nitroCli();
    const started = await Promise.all([
      cli.runEnclave(enclave()),
      cli.runEnclave(enclave()),
      cli.runEnclave(enclave()),
    ]);
    expect(started.map(({ EnclaveID }) => EnclaveID)).toEqual(['i-0-enc1', 'i-0-enc2', 'i-0-enc3']);
  });

  it('starts the next although one failed', async () => {
    const cli = nitroCli();
    const failing = cli.runEnclave({ ...enclave(), memoryMiB: 1 });
    const next = cli.runEnclave(enclave());
    await expect(failing).rejects.toMatchObject({ code: 'MEMORY_TOO_SMALL' });
    expect(await next).toMatchObject({ EnclaveID: 'i-0-enc1' });
  });

  it.each(Object.keys(NITRO_CLI_ERRORS) as NitroCliErrorCode[])(
    'knows %s by its line, and by the exit status alone',
    (code) => {
      expect(nitroCliErrorCode(`Start allocating memory...\n[ ${code} ] text\n`, 1)).toBe(code);
      expect(nitroCliErrorCode('', Number(code.slice(1)))).toBe(code);
      expect(new NitroCliError(code, `[ ${code} ] the details`).message).toBe(
        `${NITRO_CLI_ERRORS[code]} (nitro-cli ${code}: the details)`,
      );
    },
  );

  it.each([
    ['', 61],
    ['', null],
    ['[ E61 ] new', 0],
    ['[ E99 ]', 99],
  ])('takes what it does not know for E00: %j with status %j', (output, status) => {
    expect(nitroCliErrorCode(output, status)).toBe('E00');
  });

  it.each(['E22', 'E26', 'E36', 'E39', 'E60'] as const)('gives %s as a typed error with its meaning', async (code) => {
    await behave({ fail: { 'describe-enclaves': code } });
    const failing = nitroCli().describeEnclaves();
    await expect(failing).rejects.toMatchObject({ name: 'NitroCliError', code });
    await expect(failing).rejects.toThrow(`${NITRO_CLI_ERRORS[code]} (nitro-cli ${code}: as told by the test)`);
  });
});

describe('a start that cannot succeed is refused before nitro-cli is called', () => {
  it('memory below 4 times the image', async () => {
    await writeFile(eifPath, Buffer.alloc(100 * MIB));
    await expect(nitroCli().runEnclave({ ...enclave(), memoryMiB: 399 })).rejects.toMatchObject({
      code: 'MEMORY_TOO_SMALL',
    });
    await expect(nitroCli().runEnclave({ ...enclave(), memoryMiB: 400 })).resolves.toBeDefined();
  });

  it('memory below 64 MiB, or none that is a number', async () => {
    for (const memoryMiB of [63, 0, -1, Number.NaN])
      await expect(nitroCli().runEnclave({ ...enclave(), memoryMiB })).rejects.toMatchObject({
        code: 'MEMORY_TOO_SMALL',
      });
  });

  it('fewer free huge pages than asked for', async () => {
    await setFreeHugepages(127);
    await expect(nitroCli().runEnclave(enclave())).rejects.toMatchObject({ code: 'HUGEPAGES_MISSING' });
  });

  it('an image that is not there', async () => {
    await expect(nitroCli().runEnclave({ ...enclave(), eifPath: join(folder, 'none.eif') })).rejects.toMatchObject({
      code: 'EIF_UNREADABLE',
      cause: { code: 'ENOENT' },
    });
  });

  it.each([0, 1, 2, 3, 0xffff_ffff, 2 ** 32, -1, 4.5])('the CID %d', async (enclaveCid) => {
    await expect(nitroCli().runEnclave({ ...enclave(), enclaveCid })).rejects.toMatchObject({ code: 'ENCLAVE_CID' });
  });

  afterEach(async () => {
    const known = await calls().catch(() => []);
    expect(known.filter(({ rest }) => !rest.includes('400'))).toEqual([]);
  });
});

describe('nitro-cli that does not answer as it should', () => {
  it.each(['', 'no JSON', '{"EnclaveName": "x"}', 'null', '[]'])('prints %j: NITRO_CLI_OUTPUT', async (print) => {
    await behave({ print });
    await expect(nitroCli().runEnclave(enclave())).rejects.toMatchObject({ code: 'NITRO_CLI_OUTPUT' });
  });

  it('is not there: NITRO_CLI_MISSING', async () => {
    const cli = nitroCli({ command: join(folder, 'nitro-cli') });
    await expect(cli.describeEnclaves()).rejects.toMatchObject({ code: 'NITRO_CLI_MISSING' });
    await expect(text(cli.console('i-0-enc1'))).rejects.toMatchObject({ code: 'NITRO_CLI_MISSING' });
  });

  it('hangs: NITRO_CLI_TIMEOUT, and the process is gone', async () => {
    await behave({ hang: true });
    await expect(nitroCli({ timeout: 500 }).describeEnclaves()).rejects.toMatchObject({ code: 'NITRO_CLI_TIMEOUT' });
  });

  it('keeps nobody waiting for the start before, whose signal is aborted', async () => {
    await behave({ hang: true });
    const cli = nitroCli();
    const [first, second] = [new AbortController(), new AbortController()];
    const hanging = cli.runEnclave({ ...enclave(), signal: first.signal });
    const waiting = cli.runEnclave({ ...enclave(), signal: second.signal });
    second.abort(new Error('waited enough'));
    await expect(waiting).rejects.toThrow('waited enough');
    first.abort(new Error('enough'));
    await expect(hanging).rejects.toThrow('enough');
    await behave({});
    expect(await cli.runEnclave(enclave())).toMatchObject({ EnclaveID: 'i-0-enc1' });
  });

  it('ends the console when its signal is aborted', async () => {
    await behave({ hang: true });
    const stop = new AbortController();
    const reading = text(nitroCli().console('i-0-enc1', { signal: stop.signal }));
    setTimeout(() => stop.abort(), 100);
    expect(await reading).toBe('');
    expect(await text(nitroCli().console('i-0-enc1', { signal: AbortSignal.abort() }))).toBe('');
  });

  it('is stopped by its signal', async () => {
    await behave({ hang: true });
    const stop = new AbortController();
    const listing = nitroCli().describeEnclaves({ signal: stop.signal });
    setTimeout(() => stop.abort(new Error('enough')), 100);
    await expect(listing).rejects.toThrow('enough');
  });
});
