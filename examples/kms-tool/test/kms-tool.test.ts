import { readFileSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { join } from 'node:path';
import { KMS } from '@aws-sdk/client-kms';
import type { EmulatedEnclave, Emulator } from '@nitro-enclaves/emulator';
import { startEmulator } from '@nitro-enclaves/emulator';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { commandOf, commandsIn, runCommands, scratchFolder } from '../../../test/examples/running-example.ts';

const REGION = 'eu-west-1';
const ACCOUNT = '111122223333';
const KEY_ID = '11111111-2222-4333-8444-555555555501';
const OTHER_KEY_ID = '11111111-2222-4333-8444-555555555502';
const arnOf = (keyId: string) => `arn:aws:kms:${REGION}:${ACCOUNT}:key/${keyId}`;
const SECRET = Buffer.from('the password of the database');
const CONTEXT = { purpose: 'database' };

const folder = scratchFolder();
let command: readonly string[];
let emulator: Emulator;
let owner: KMS;

beforeAll(async () => {
  command = await commandOf('kms-tool', folder.path);
  const keys = [{ keyId: KEY_ID, alias: 'alias/database' }, { keyId: OTHER_KEY_ID }];
  emulator = await startEmulator({ region: REGION, kms: { accountId: ACCOUNT, keys } });
  if (emulator.kms === undefined) throw new Error('expected an emulator with a KMS');
  const { endpoint, credentials, ca } = emulator.kms;
  owner = new KMS({ region: REGION, endpoint, credentials, requestHandler: { httpsAgent: new Agent({ ca }) } });
}, 180_000);

afterEach(() => emulator.faults.clear());

afterAll(async () => {
  owner?.destroy();
  await emulator?.close();
  folder[Symbol.dispose]();
});

/** As an application in the enclave calls the tool: by a shell, its output into a file. The same image for all arguments. */
const SCRIPT = 'eval "set -- $(cat "$0/args")"; exec "$NODE" "$MAIN" "$@" > "$0/out" 2> "$0/err"';

interface Ended {
  readonly exitCode: number | null;
  readonly out: string;
  readonly err: string;
  readonly measurements: ReturnType<EmulatedEnclave['describe']>['Measurements'];
}

interface RunOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly debugMode?: boolean;
}

/** Runs the tool in an enclave of its own. */
async function tool(args: readonly string[], { environment = {}, debugMode = false }: RunOptions = {}): Promise<Ended> {
  const [NODE = '', MAIN = ''] = command;
  writeFileSync(join(folder.path, 'args'), args.map((arg) => `'${arg}'`).join(' '));
  const enclave = await emulator.runEnclave({
    command: ['/bin/sh', '-c', SCRIPT, folder.path],
    environment: { PATH: '/usr/bin:/bin', AWS_REGION: REGION, NODE, MAIN, NODE_NO_WARNINGS: '1', ...environment },
    files: [MAIN],
    debugMode,
  });
  const measurements = enclave.describe().Measurements;
  const { exitCode } = await enclave.exited;
  const written = (name: string) => readFileSync(join(folder.path, name), 'utf8');
  return { exitCode, out: written('out'), err: written('err'), measurements };
}

async function seal(keyId = KEY_ID, context: Record<string, string> | undefined = CONTEXT): Promise<string> {
  const request = { KeyId: keyId, Plaintext: SECRET, EncryptionContext: context };
  const { CiphertextBlob } = await owner.encrypt(request);
  return Buffer.from(CiphertextBlob ?? []).toString('base64');
}

const WITH_CONTEXT = ['--encryption-context', 'purpose=database'];
const decrypt = (ciphertext: string, ...more: readonly string[]) => ['decrypt', '--ciphertext', ciphertext, ...more];
const decryptPinned = (ciphertext: string) => decrypt(ciphertext, '--key-id', arnOf(KEY_ID), ...WITH_CONTEXT);

/** Nothing of the secret, in any form, and no line that looks like one. */
function expectNothingOut({ out, err }: Ended): void {
  expect(out).toBe('');
  for (const form of ['utf8', 'base64', 'hex'] as const) expect(err).not.toContain(SECRET.toString(form));
  expect(err).not.toContain('PLAINTEXT');
}

describe('kms-tool', { timeout: 120_000 }, () => {
  it('decrypts what the SDK encrypted', async () => {
    const ended = await tool(decryptPinned(await seal()));
    expect(ended).toMatchObject({ exitCode: 0, out: `PLAINTEXT: ${SECRET.toString('base64')}\n`, err: '' });
  });

  it('makes a data key that its owner can open later', async () => {
    const { exitCode, out, err } = await tool([
      'genkey',
      '--key-id',
      'alias/database',
      '--key-spec',
      'AES-128',
      ...WITH_CONTEXT,
    ]);
    expect(exitCode, err).toBe(0);
    const [, ciphertext = '', plaintext = ''] = /^CIPHERTEXT: (\S+)\nPLAINTEXT: (\S+)\n$/.exec(out) ?? [];
    const sealed = { CiphertextBlob: Buffer.from(ciphertext, 'base64'), KeyId: KEY_ID, EncryptionContext: CONTEXT };
    const { Plaintext } = await owner.decrypt(sealed);
    expect(Buffer.from(Plaintext ?? []).toString('base64')).toBe(plaintext);
    expect(Buffer.from(plaintext, 'base64')).toHaveLength(16);
  });

  it('gives random bytes, as many as asked for', async () => {
    const { exitCode, out, err } = await tool(['genrandom', '--length', '33']);
    expect(exitCode, err).toBe(0);
    expect(Buffer.from(/^PLAINTEXT: (\S+)\n$/.exec(out)?.[1] ?? '', 'base64')).toHaveLength(33);
  });

  it('opens nothing for another purpose', async () => {
    const ciphertext = await seal();
    for (const context of [[], ['--encryption-context', 'purpose=backup']]) {
      const ended = await tool(decrypt(ciphertext, '--key-id', arnOf(KEY_ID), ...context));
      expect(ended.exitCode).toBe(1);
      expect(ended.err).toContain('InvalidCiphertextException');
      expectNothingOut(ended);
    }
  });

  it('opens nothing that was changed', async () => {
    const bytes = Buffer.from(await seal(), 'base64');
    const last = bytes.length - 1;
    bytes[last] = (bytes[last] ?? 0) ^ 1;
    const ended = await tool(decryptPinned(bytes.toString('base64')));
    expect(ended.exitCode).toBe(1);
    expectNothingOut(ended);
  });

  it('does not let the ciphertext choose the key', async () => {
    const [own, strangers] = [await seal(), await seal(OTHER_KEY_ID)];
    const swapped = await tool(decryptPinned(strangers));
    expect(swapped.exitCode).toBe(1);
    expect(swapped.err).toContain('IncorrectKeyException');
    expectNothingOut(swapped);

    const unpinned = await tool(decrypt(own, ...WITH_CONTEXT));
    expect(unpinned.exitCode).toBe(1);
    expect(unpinned.err).toContain('KEY_NOT_PINNED');
    expectNothingOut(unpinned);
  });

  it('needs no --key-id where the image pins its keys', async () => {
    const environment = { KMS_TOOL_KEYS: arnOf(KEY_ID) };
    const opened = await tool(decrypt(await seal(), ...WITH_CONTEXT), { environment });
    expect(opened.exitCode, opened.err).toBe(0);

    const strangers = await tool(decrypt(await seal(OTHER_KEY_ID), ...WITH_CONTEXT), { environment });
    expect(strangers.exitCode).toBe(1);
    expect(strangers.err).toContain('ANSWER_KEY_MISMATCH');
    expectNothingOut(strangers);
  });

  it('takes credentials from the environment, and none from the command line', async () => {
    const { accessKeyId, secretAccessKey } = emulator.kms?.credentials ?? expect.fail('expected a KMS');
    emulator.faults.set({ parent: [{ kind: 'no-credentials' }] });
    const environment = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
    const opened = await tool(['genrandom', '--length', '1'], { environment });
    expect(opened.exitCode, opened.err).toBe(0);

    const refused = await tool(['genrandom', '--length', '1', '--aws-secret-access-key', secretAccessKey]);
    expect(refused.exitCode).toBe(2);
    expect(refused.err).toContain('expected no secrets on the command line');
    expect(refused.out + refused.err).not.toContain(secretAccessKey);
  });

  it('says so when the parent has no credentials', async () => {
    emulator.faults.set({ parent: [{ kind: 'no-credentials' }] });
    const ended = await tool(decryptPinned(await seal()));
    expect(ended.exitCode).toBe(1);
    expect(ended.err).toMatch(/CREDENTIALS_UNAVAILABLE|CredentialsProviderError/);
    expectNothingOut(ended);
  });

  it('does not take an answer that was sealed to somebody else', async () => {
    emulator.faults.set({ kms: [{ kind: 'no-ciphertext-for-recipient' }] });
    const ended = await tool(decryptPinned(await seal()));
    expect(ended.exitCode).toBe(1);
    expect(ended.err).toContain('ANSWER_NOT_SEALED');
    expectNothingOut(ended);
  });

  it('opens only in the image that the key policy names, and not in debug mode', async () => {
    const ciphertext = await seal();
    const { measurements } = await tool(decryptPinned(ciphertext));
    const principal = { AWS: `arn:aws:iam::${ACCOUNT}:root` };
    const Condition = { StringEqualsIgnoreCase: { 'kms:RecipientAttestation:PCR0': measurements.PCR0 } };
    const statements = [
      { Effect: 'Allow', Principal: principal, NotAction: 'kms:Decrypt', Resource: '*' },
      { Effect: 'Allow', Principal: principal, Action: 'kms:Decrypt', Resource: '*', Condition },
    ];
    await owner.putKeyPolicy({
      KeyId: KEY_ID,
      Policy: JSON.stringify({ Version: '2012-10-17', Statement: statements }),
    });

    const named = await tool(decryptPinned(ciphertext));
    expect(named.exitCode, named.err).toBe(0);
    for (const options of [{ environment: { ANOTHER: 'image' } }, { debugMode: true }]) {
      const ended = await tool(decryptPinned(ciphertext), options);
      expect(ended.exitCode).toBe(1);
      expect(ended.err).toContain('AccessDeniedException');
      expectNothingOut(ended);
    }
  });
});

describe('the README', () => {
  it('makes a key in one enclave and opens it in another', { timeout: 180_000 }, () => {
    const { status, stdout, stderr } = runCommands(commandsIn('kms-tool', 'walk-through'));
    expect(status, stdout + stderr).toBe(0);
    const [made, opened, ...more] = stdout.match(/^PLAINTEXT: \S{44}$/gm) ?? [];
    expect(made).toBeDefined();
    expect(opened).toBe(made);
    expect(more).toStrictEqual([]);
  });
});
