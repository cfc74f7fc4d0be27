import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import type { CreateKeyCommandInput, KMSClient } from '@aws-sdk/client-kms';
import {
  CreateAliasCommand,
  CreateKeyCommand,
  DecryptCommand,
  DeleteAliasCommand,
  DescribeKeyCommand,
  DisableKeyCommand,
  EncryptCommand,
  GetKeyPolicyCommand,
  ListAliasesCommand,
  ListKeysCommand,
  PutKeyPolicyCommand,
  ScheduleKeyDeletionCommand,
  SignCommand,
  UpdateAliasCommand,
  VerifyCommand,
} from '@aws-sdk/client-kms';
import type { EmulatedKms, EmulatedKmsOptions } from '@nitro-enclaves/emulator';
import { createNitroPki, startEmulatedKms } from '@nitro-enclaves/emulator';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { bundleChild } from './bundle.ts';
import { clientOf, failureOf } from './sdk.ts';

const CREDENTIALS = { accessKeyId: 'AKIAEMULATEDKMSSTORE', secretAccessKey: 'a secret of this test' };
const ROUNDS = 4;
const CHANGES_A_ROUND = 4;

let folder: string;
let file: string;
let root: Uint8Array;
let program: string;

beforeAll(async () => {
  root = (await createNitroPki()).rootCertificate;
  program = await bundleChild(new URL('./child.ts', import.meta.url));
});

afterAll(() => rmSync(program, { force: true }));

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kms-store-'));
  file = join(folder, 'keys.sqlite');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function start(options: Partial<EmulatedKmsOptions> = {}): Promise<EmulatedKms> {
  return startEmulatedKms({ attestation: { roots: [root] }, store: { file }, credentials: [CREDENTIALS], ...options });
}

/** A KMS in a process of its own. */
async function startChild(): Promise<{ client: KMSClient; kill: () => Promise<void>; ca: string }> {
  const options = { store: { file }, credentials: CREDENTIALS, root: Buffer.from(root).toString('base64') };
  const child = spawn(process.execPath, ['--no-warnings', program, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const [line] = await Promise.race([
    once(createInterface({ input: child.stdout }), 'line'),
    exited.then(() => Promise.reject(new Error('the child ended before it served'))),
  ]);
  const { endpoint, ca } = JSON.parse(String(line));
  const place = { endpoint, ca, region: 'us-east-1', credentials: CREDENTIALS };
  const kill = async () => {
    child.kill('SIGKILL');
    await exited;
  };
  return { client: clientOf(place), kill, ca };
}

/** What KMS answered that it has done: all of this has to be there after a kill. */
interface Acknowledged {
  readonly keys: Map<string, { policy: string; enabled: boolean }>;
  readonly aliases: Map<string, string>;
  readonly ciphertexts: { keyId: string; blob: Uint8Array; plaintext: string }[];
}

function policyOf(id: string): string {
  const statement = { Sid: id, Effect: 'Allow', Principal: '*', Action: 'kms:*', Resource: '*' };
  return JSON.stringify({ Version: '2012-10-17', Statement: statement });
}

/** Changes one thing after the other, and notes each when its answer has come; ends when the KMS does. */
async function changeUntilKilled(client: KMSClient, done: Acknowledged, round: number): Promise<void> {
  for (let step = 0; ; step += 1) {
    const name = `${round}-${step}`;
    const { KeyMetadata } = await client.send(new CreateKeyCommand({ Description: name, Policy: policyOf('first') }));
    const KeyId = KeyMetadata?.KeyId ?? '';
    done.keys.set(KeyId, { policy: policyOf('first'), enabled: true });
    const { CiphertextBlob: blob } = await client.send(new EncryptCommand({ KeyId, Plaintext: Buffer.from(name) }));
    if (blob) done.ciphertexts.push({ keyId: KeyId, blob, plaintext: name });
    await client.send(new CreateAliasCommand({ AliasName: `alias/${name}`, TargetKeyId: KeyId }));
    done.aliases.set(`alias/${name}`, KeyId);
    await client.send(new PutKeyPolicyCommand({ KeyId, Policy: policyOf('second') }));
    done.keys.set(KeyId, { policy: policyOf('second'), enabled: true });
  }
}

async function expectAllThere(client: KMSClient, { keys, aliases, ciphertexts }: Acknowledged): Promise<void> {
  for (const [KeyId, { policy }] of keys) {
    const { Policy } = await client.send(new GetKeyPolicyCommand({ KeyId }));
    // The policy of the last change may have been put without its answer having come.
    expect([policy, policyOf('second')]).toContain(Policy);
  }
  for (const { blob, plaintext, keyId } of ciphertexts) {
    const { Plaintext, KeyId } = await client.send(new DecryptCommand({ CiphertextBlob: blob }));
    expect(Buffer.from(Plaintext ?? []).toString()).toBe(plaintext);
    expect(KeyId).toContain(keyId);
  }
  for (const [name, keyId] of aliases) {
    const { KeyMetadata } = await client.send(new DescribeKeyCommand({ KeyId: name }));
    expect(KeyMetadata?.KeyId).toBe(keyId);
  }
}

describe('a store', () => {
  it('loses nothing that was answered when its process is killed at any moment', async () => {
    const done: Acknowledged = { keys: new Map(), aliases: new Map(), ciphertexts: [] };
    const authorities = new Set<string>();
    for (let round = 0; round < ROUNDS; round += 1) {
      const { client, kill, ca } = await startChild();
      authorities.add(ca);
      await expectAllThere(client, done);
      const changing = failureOf(changeUntilKilled(client, done, round));
      await vi.waitUntil(() => done.ciphertexts.length >= CHANGES_A_ROUND * (round + 1), {
        timeout: 60_000,
        interval: 5,
      });
      await setTimeout(randomInt(40));
      await kill();
      await changing;
      client.destroy();
    }
    const kms = await start();
    const client = clientOf(kms);
    await expectAllThere(client, done);
    expect(done.ciphertexts.length).toBeGreaterThanOrEqual(ROUNDS * CHANGES_A_ROUND);
    expect([...authorities]).toEqual([kms.ca]);
    client.destroy();
    await kms.close();
  }, 300_000);

  it('is taken over from a process that was killed in the middle of a write', async () => {
    const first = await start({ keys: [{ alias: 'alias/a' }] });
    await first.close();
    // What such a process leaves: its mark, and the lock of the WebAssembly build.
    writeFileSync(`${file}.owner`, '999999999 1');
    mkdirSync(`${file}.lock`);
    await using kms = await start();
    const client = clientOf(kms);
    expect((await client.send(new DescribeKeyCommand({ KeyId: 'alias/a' }))).KeyMetadata?.Enabled).toBe(true);
    await client.send(new CreateKeyCommand({}));
    client.destroy();
  });

  it('serves one process at a time', async () => {
    const { client, kill } = await startChild();
    await expect(start()).rejects.toMatchObject({ code: 'KMS_STORE_IN_USE' });
    client.destroy();
    await kill();
    await (await start()).close();
    expect(existsSync(`${file}.owner`)).toBe(false);
  });

  it('serves one KMS of a process at a time', async () => {
    await using _kms = await start();
    await expect(start()).rejects.toMatchObject({ code: 'KMS_STORE_IN_USE' });
  });

  it('keeps what every operation changed, and keys of every kind', async () => {
    const first = await start();
    const before = clientOf(first);
    const make = async (input: CreateKeyCommandInput) =>
      (await before.send(new CreateKeyCommand(input))).KeyMetadata?.KeyId ?? '';
    const [plain, signing, doomed] = [
      await make({}),
      await make({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' }),
      await make({}),
    ];
    await before.send(new CreateAliasCommand({ AliasName: 'alias/moved', TargetKeyId: plain }));
    await before.send(new CreateAliasCommand({ AliasName: 'alias/gone', TargetKeyId: plain }));
    await before.send(new UpdateAliasCommand({ AliasName: 'alias/moved', TargetKeyId: doomed }));
    await before.send(new DeleteAliasCommand({ AliasName: 'alias/gone' }));
    await before.send(new DisableKeyCommand({ KeyId: plain }));
    await before.send(new ScheduleKeyDeletionCommand({ KeyId: doomed, PendingWindowInDays: 7 }));
    const signed = { KeyId: signing, Message: Buffer.from('m'), SigningAlgorithm: 'ECDSA_SHA_256' as const };
    const { Signature } = await before.send(new SignCommand(signed));
    const described = await before.send(new DescribeKeyCommand({ KeyId: doomed }));
    before.destroy();
    await first.close();

    await using second = await start();
    const after = clientOf(second);
    expect((await after.send(new ListKeysCommand({}))).Keys?.map(({ KeyId }) => KeyId)).toEqual([
      plain,
      signing,
      doomed,
    ]);
    const { Aliases = [] } = await after.send(new ListAliasesCommand({}));
    expect(Aliases.map(({ AliasName, TargetKeyId }) => [AliasName, TargetKeyId])).toEqual([['alias/moved', doomed]]);
    expect((await after.send(new DescribeKeyCommand({ KeyId: plain }))).KeyMetadata?.KeyState).toBe('Disabled');
    expect((await after.send(new DescribeKeyCommand({ KeyId: doomed }))).KeyMetadata).toEqual(described.KeyMetadata);
    expect((await after.send(new VerifyCommand({ ...signed, Signature }))).SignatureValid).toBe(true);
    after.destroy();
  });

  it('leaves the initial keys that it has as they are', async () => {
    const keys = [{ alias: 'alias/a', keyId: '11111111-2222-3333-4444-555555555555' }];
    const first = await start({ keys });
    const before = clientOf(first);
    const { CiphertextBlob } = await before.send(new EncryptCommand({ KeyId: 'alias/a', Plaintext: Buffer.from('x') }));
    before.destroy();
    await first.close();
    await using second = await start({ keys });
    const after = clientOf(second);
    expect(Buffer.from((await after.send(new DecryptCommand({ CiphertextBlob }))).Plaintext ?? []).toString()).toBe(
      'x',
    );
    after.destroy();
  });

  it('can be read by its owner only', async () => {
    await using _kms = await start();
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('belongs to one region and account', async () => {
    await (await start()).close();
    await expect(start({ region: 'eu-west-1' })).rejects.toMatchObject({ code: 'KMS_STORE_UNUSABLE' });
    await expect(start({ accountId: '444455556666' })).rejects.toMatchObject({ code: 'KMS_STORE_UNUSABLE' });
    await (await start()).close();
  });

  it.each([
    ['text', () => writeFileSync(file, 'this is not a database, and long enough to be none of any kind'.repeat(100))],
    ['a folder', () => mkdirSync(file)],
  ])('refuses %s', async (_, make) => {
    make();
    await expect(start()).rejects.toMatchObject({ code: 'KMS_STORE_UNUSABLE' });
    expect(existsSync(`${file}.owner`)).toBe(false);
  });

  it('refuses a folder that does not exist', async () => {
    await expect(start({ store: { file: join(folder, 'absent', 'keys.sqlite') } })).rejects.toMatchObject({
      code: 'KMS_STORE_UNUSABLE',
    });
  });

  it('belongs to one of two that begin at once', async () => {
    const begun = await Promise.allSettled([start(), start()]);
    for (const one of begun) if (one.status === 'fulfilled') await one.value.close();
    const refused = begun.filter((one) => one.status === 'rejected');
    expect(refused).toMatchObject([{ reason: { code: 'KMS_STORE_IN_USE' } }]);
    await using _after = await start();
  });

  it('gets the alias of an initial key whose making was cut short', async () => {
    const keyId = '11111111-2222-3333-4444-555555555555';
    await using before = await start({ keys: [{ keyId }] });
    await before.close();
    await using kms = await start({ keys: [{ keyId, alias: 'alias/orders' }] });
    const { Aliases: aliases } = await clientOf(kms).send(new ListAliasesCommand({}));
    expect(aliases).toMatchObject([{ AliasName: 'alias/orders', TargetKeyId: keyId }]);
  });

  it('is not made for two initial keys of one name', async () => {
    const alias = 'alias/orders';
    await expect(start({ keys: [{ alias }, { alias, description: 'another' }] })).rejects.toMatchObject({
      code: 'KMS_OPTION',
    });
  });
});
