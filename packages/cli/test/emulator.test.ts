import { X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExitCode } from '@nitro-enclaves/cli';
import { EXIT_CODE, run } from '@nitro-enclaves/cli';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

interface Ended {
  readonly code: ExitCode;
  readonly out: string;
  readonly err: string;
}

let cwd: string;
let folder: string;

/** Runs a command in `cwd`; `whileRunning` is told what it printed so far. */
async function nitro(
  args: readonly string[],
  { signal = new AbortController().signal, printed = (_: string): void => undefined } = {},
): Promise<Ended> {
  const [out, err]: [string[], string[]] = [[], []];
  let code: ExitCode = EXIT_CODE.OK;
  const write = (into: string[]) => (text: string | Uint8Array) => {
    into.push(Buffer.from(text).toString());
    printed(into.join(''));
  };
  await run(args, {
    stdin: (async function* () {})(),
    stdout: { write: write(out) },
    stderr: { write: write(err) },
    env: { PATH: process.env['PATH'], NITRO_ENCLAVES_EMULATOR_FOLDER: '' },
    cwd,
    signal,
    exitWith: (exit) => {
      code = exit;
    },
  });
  return { code, out: out.join(''), err: err.join('') };
}

/** Runs `emulator up` until `down` is called. */
async function up(...args: readonly string[]): Promise<{ printed: string; down(): Promise<Ended> }> {
  const stop = new AbortController();
  let ended: Promise<Ended> | undefined;
  const printed = await new Promise<string>((resolve, reject) => {
    let out = '';
    ended = nitro(['emulator', 'up', '--folder', folder, ...args], {
      signal: stop.signal,
      printed: (text) => {
        if (text.includes('Ctrl-C')) resolve(out);
        else out = text;
      },
    });
    ended.then(({ err }) => reject(new Error(err)), reject);
  });
  return {
    printed,
    down: () => {
      stop.abort();
      return ended ?? Promise.reject(new Error('never started'));
    },
  };
}

const at = (command: string, ...args: readonly string[]) => nitro(['emulator', command, '--folder', folder, ...args]);
const json = async (command: string, ...args: readonly string[]) => JSON.parse((await at(command, ...args)).out);

beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'cli-'));
  folder = join(cwd, 'emulator');
  await writeFile(join(cwd, 'app.sh'), 'echo "hello from $GREETING"; sleep 60');
});
afterAll(() => rm(cwd, { recursive: true }));

describe('the launch walk-through', () => {
  let emulator: Awaited<ReturnType<typeof up>>;
  beforeAll(async () => {
    emulator = await up('--seed', 'walk', '--no-kms');
  });
  afterAll(() => emulator.down());
  afterEach(() => at('terminate-enclave', '--all'));

  it("run-enclave prints nitro-cli's JSON, and its sentence to the standard error", async () => {
    const { code, out, err } = await at(
      ...(['run-enclave', '--memory', '512M', '--cpu-count', '2', '--enclave-cid', '20'] as const),
      ...(['--', 'sh', 'app.sh'] as const),
    );
    expect(code).toBe(EXIT_CODE.OK);
    expect(JSON.parse(out)).toEqual({
      EnclaveName: 'sh',
      EnclaveID: expect.stringMatching(/^i-[0-9a-f]{17}-enc[0-9a-f]{16}$/),
      ProcessID: expect.any(Number),
      EnclaveCID: 20,
      NumberOfCPUs: 2,
      CPUIDs: [1, 2],
      MemoryMiB: 512,
    });
    expect(err).toContain('Started enclave with enclave-cid: 20, memory: 512 MiB, cpu-ids: [1, 2]');
  });

  it('describe-enclaves lists the enclaves with their measurements and flags', async () => {
    expect(await json('describe-enclaves')).toEqual([]);
    const run = await json('run-enclave', '--debug-mode', '--', 'sh', 'app.sh');
    expect(await json('describe-enclaves')).toEqual([
      {
        ...run,
        State: 'RUNNING',
        Flags: 'DEBUG_MODE',
        Measurements: expect.objectContaining({ HashAlgorithm: 'Sha384 { ... }' }),
      },
    ]);
  });

  it('measures what it is told to measure', async () => {
    const measure = async (...args: string[]) => {
      await at('run-enclave', ...args);
      const [{ Measurements }] = await json('describe-enclaves');
      await at('terminate-enclave', '--all');
      return Measurements.PCR0;
    };
    const plain = await measure('--', 'sh', 'app.sh');
    expect(await measure('--memory', '2G', '--', 'sh', 'app.sh')).toBe(plain);
    expect(await measure('--env', 'GREETING=you', '--', 'sh', 'app.sh')).not.toBe(plain);
    expect(await measure('--measure', 'app.sh', '--', 'sh', 'app.sh')).not.toBe(plain);
  });

  it('console shows what an enclave in debug mode writes, and refuses any other', async () => {
    await at('run-enclave', '--debug-mode', '--enclave-name', 'open', '--env', 'GREETING=inside', '--', 'sh', 'app.sh');
    const stop = new AbortController();
    const { code, out } = await nitro(['emulator', 'console', '--folder', folder, '--enclave-name', 'open'], {
      signal: stop.signal,
      printed: (text) => text.includes('\n') && stop.abort(),
    });
    expect(out).toBe('hello from inside\n');
    expect(code).toBe(EXIT_CODE.OK);
    const closed = await json('run-enclave', '--', 'sh', 'app.sh');
    const refused = await at('console', '--enclave-id', closed.EnclaveID);
    expect(refused).toMatchObject({ code: EXIT_CODE.USAGE, err: expect.stringContaining('EMULATOR_CONSOLE') });
  });

  it('run-enclave --attach-console reads the console to the end of the enclave', async () => {
    const { out } = await at('run-enclave', '--attach-console', '--', 'sh', '-c', 'echo first; sleep 0.1; echo last');
    expect(out).toContain('"EnclaveCID": 16');
    expect(out).toMatch(/first\nlast\n$/);
  });

  it('run-enclave ends with one sentence when it is told to stop', async () => {
    const stop = AbortSignal.abort(new Error('stopped by SIGINT'));
    const args = ['emulator', 'run-enclave', '--folder', folder, '--', 'sh', 'app.sh'];
    expect(await nitro(args, { signal: stop })).toEqual({
      code: EXIT_CODE.UNAVAILABLE,
      out: '',
      err: 'error: stopped by SIGINT\n',
    });
  });

  it('terminate-enclave ends one or all, and says so', async () => {
    await at('run-enclave', '--enclave-name', 'one', '--', 'sh', 'app.sh');
    await at('run-enclave', '--enclave-name', 'two', '--', 'sh', 'app.sh');
    expect(await json('terminate-enclave', '--enclave-name', 'one')).toMatchObject({
      EnclaveName: 'one',
      Terminated: true,
    });
    expect((await json('describe-enclaves')).map(({ EnclaveName }: { EnclaveName: string }) => EnclaveName)).toEqual([
      'two',
    ]);
    expect(await json('terminate-enclave', '--all')).toMatchObject({ EnclaveName: 'two', Terminated: true });
    expect(await json('describe-enclaves')).toEqual([]);
  });

  it.each<[string, string[]]>([
    ['nothing to run', ['run-enclave']],
    ['an image and a command', ['run-enclave', '--eif', 'a.eif', '--', 'sh']],
    ['memory that is none', ['run-enclave', '--memory', 'much', '--', 'sh']],
    ['a variable without a value', ['run-enclave', '--env', 'NAME', '--', 'sh']],
    ['a command that is not there', ['run-enclave', '--', 'no-such-program']],
    ['a reserved CID', ['run-enclave', '--enclave-cid', '3', '--', 'sh']],
    ['no enclave', ['console']],
    ['an enclave twice', ['terminate-enclave', '--enclave-id', 'a', '--enclave-name', 'b']],
    ['an enclave and all of them', ['terminate-enclave', '--all', '--enclave-name', 'b']],
    ['two images', ['run-enclave', '--eif', 'a.eif', '--eif-path', 'b.eif']],
    ['an environment for an image', ['run-enclave', '--eif', 'a.eif', '--env', 'A=b']],
    ['files to measure beside an image', ['run-enclave', '--eif-path', 'a.eif', '--measure', 'app.sh']],
    ['an enclave that does not run', ['terminate-enclave', '--enclave-name', 'nobody']],
  ])('refuses %s as a mistake of usage', async (_, [command = '', ...args]) => {
    expect(await at(command, ...args)).toMatchObject({ code: EXIT_CODE.USAGE, out: '' });
  });

  it('says that an image is none as bad evidence', async () => {
    expect(await at('run-enclave', '--eif', 'app.sh')).toMatchObject({ code: EXIT_CODE.BAD_EVIDENCE });
  });
});

const KEY_POLICY = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { AWS: '*' }, Action: 'kms:*', Resource: '*' }],
};

describe('emulator up', () => {
  it('says where KMS is and how to use it, keeps the files there, and takes all away in the end', async () => {
    await writeFile(join(cwd, 'policy.json'), JSON.stringify(KEY_POLICY));
    const emulator = await up('--json', '--key', 'orders', '--key', 'alias/other=policy.json');
    const account = JSON.parse(emulator.printed);
    expect(account).toMatchObject({ folder, instanceId: expect.stringMatching(/^i-/), kms: { region: 'us-east-1' } });
    const root = new X509Certificate(await readFile(account.rootCertificate));
    expect(root.subject).toContain('NOT AWS');
    expect(new X509Certificate(await readFile(account.kms.ca)).ca).toBe(true);
    await at('run-enclave', '--', 'sh', 'app.sh');
    const { code } = await emulator.down();
    expect(code).toBe(EXIT_CODE.OK);
    expect(existsSync(folder)).toBe(false);
  });

  it('prints lines for people, with the variables of the AWS CLI', async () => {
    const emulator = await up();
    expect(emulator.printed).toContain('export AWS_ENDPOINT_URL_KMS=https://localhost:');
    await emulator.down();
  });

  it('refuses a folder that has other things in it, and a key policy that is none', async () => {
    const taken = await nitro(['emulator', 'up', '--folder', cwd]);
    expect(taken).toMatchObject({ code: EXIT_CODE.USAGE, err: expect.stringContaining('EMULATOR_FOLDER') });
    await writeFile(join(cwd, 'bad.json'), '{}');
    const policy = await nitro(['emulator', 'up', '--folder', folder, '--key', 'orders=bad.json']);
    expect(policy.code).not.toBe(EXIT_CODE.OK);
    expect(existsSync(folder)).toBe(false);
  });

  it.each<[string, string[]]>([
    ['a role that is no ARN', ['--no-kms', '--role-arn', 'x']],
    ['keys where there is no KMS', ['--no-kms', '--key', 'orders']],
    ['a store where there is no KMS', ['--no-kms', '--kms-store', 'keys.sqlite']],
    ['a store in the folder that it removes', ['--kms-store', 'emulator/keys.sqlite']],
    ['a key twice', ['--key', 'orders', '--key', 'alias/orders']],
  ])('refuses %s, and leaves nothing', async (_, args) => {
    expect(await nitro(['emulator', 'up', '--folder', folder, ...args])).toMatchObject({ code: EXIT_CODE.USAGE });
    expect(existsSync(folder)).toBe(false);
  });

  it('prints variables that a shell reads whatever the folder is called, and reads policies of any name', async () => {
    await writeFile(join(cwd, 'a=b.json'), JSON.stringify(KEY_POLICY));
    const named = folder;
    folder = join(cwd, "it's here");
    const emulator = await up('--key', 'orders=a=b.json').finally(() => {
      folder = named;
    });
    expect(emulator.printed).toContain(`AWS_CA_BUNDLE='${cwd}/it'\\''s here/kms-ca.pem'`);
    await emulator.down();
  });

  it('takes faults out of a file, and refuses those that it does not know', async () => {
    await writeFile(join(cwd, 'faults.json'), JSON.stringify({ nsm: [{ kind: 'slow', ms: 1 }] }));
    const emulator = await up('--no-kms', '--faults', 'faults.json');
    expect((await emulator.down()).code).toBe(EXIT_CODE.OK);
    for (const text of ['{ "nsm": [{ "kind": "lazy" }] }', 'no JSON']) {
      await writeFile(join(cwd, 'faults.json'), text);
      const refused = await nitro(['emulator', 'up', '--folder', folder, '--faults', 'faults.json']);
      expect(refused).toMatchObject({ code: EXIT_CODE.USAGE, out: '' });
      expect(refused.err).not.toBe('');
    }
  });

  it('is asked for by the other commands where none is up', async () => {
    const missing = await at('describe-enclaves');
    expect(missing).toMatchObject({ code: EXIT_CODE.UNAVAILABLE, err: expect.stringContaining('emulator up') });
  });
});
