import type { KeyObject } from 'node:crypto';
import {
  constants,
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  publicEncrypt,
  verify as verifyWith,
} from 'node:crypto';
import type { CreateKeyCommandInput, KeySpec, KMSClient, SigningAlgorithmSpec } from '@aws-sdk/client-kms';
import {
  CancelKeyDeletionCommand,
  CreateAliasCommand,
  CreateKeyCommand,
  DecryptCommand,
  DeleteAliasCommand,
  DeriveSharedSecretCommand,
  DescribeKeyCommand,
  DisableKeyCommand,
  EnableKeyCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  GenerateDataKeyPairCommand,
  GenerateDataKeyPairWithoutPlaintextCommand,
  GenerateDataKeyWithoutPlaintextCommand,
  GenerateMacCommand,
  GenerateRandomCommand,
  GetKeyPolicyCommand,
  GetPublicKeyCommand,
  ListAliasesCommand,
  ListKeyPoliciesCommand,
  ListKeysCommand,
  PutKeyPolicyCommand,
  ReEncryptCommand,
  ScheduleKeyDeletionCommand,
  SignCommand,
  UpdateAliasCommand,
  VerifyCommand,
} from '@aws-sdk/client-kms';
import type { EmulatedKms } from '@nitro-enclaves/emulator';
import { createNitroPki, startEmulatedKms } from '@nitro-enclaves/emulator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientAs, clientOf, failureOf } from './sdk.ts';

const DAY = 86_400_000;
const PLACE = 'arn:aws:kms:us-east-1:111122223333';
const ABSENT = '99999999-9999-9999-9999-999999999999';

let kms: EmulatedKms;
let client: KMSClient;
let now = Date.now();

beforeAll(async () => {
  const pki = await createNitroPki();
  kms = await startEmulatedKms({ attestation: { roots: [pki.rootCertificate] }, clock: () => now });
  client = clientOf(kms);
});

afterAll(async () => {
  client.destroy();
  await kms.close();
});

async function make(input: CreateKeyCommandInput = {}): Promise<string> {
  return (await client.send(new CreateKeyCommand(input))).KeyMetadata?.KeyId ?? '';
}

function text(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString();
}

async function seal(KeyId: string, plaintext: string, EncryptionContext?: Record<string, string>): Promise<Uint8Array> {
  const { CiphertextBlob } = await client.send(
    new EncryptCommand({ KeyId, Plaintext: Buffer.from(plaintext), EncryptionContext }),
  );
  if (CiphertextBlob === undefined) throw new Error('expected a ciphertext');
  return CiphertextBlob;
}

describe('keys', () => {
  it('are made as asked for, and described', async () => {
    const { KeyMetadata } = await client.send(
      new CreateKeyCommand({
        Description: 'd',
        KeySpec: 'ECC_NIST_P384',
        KeyUsage: 'KEY_AGREEMENT',
        Tags: [{ TagKey: 'a', TagValue: 'b' }],
      }),
    );
    expect(KeyMetadata).toMatchObject({
      AWSAccountId: '111122223333',
      Arn: `${PLACE}:key/${KeyMetadata?.KeyId}`,
      Description: 'd',
      Enabled: true,
      KeyAgreementAlgorithms: ['ECDH'],
      KeyManager: 'CUSTOMER',
      KeySpec: 'ECC_NIST_P384',
      KeyState: 'Enabled',
      KeyUsage: 'KEY_AGREEMENT',
      Origin: 'AWS_KMS',
    });
    expect(KeyMetadata?.CreationDate?.getTime()).toBe(now);
    const described = await client.send(new DescribeKeyCommand({ KeyId: KeyMetadata?.Arn }));
    expect(described.KeyMetadata).toEqual(KeyMetadata);
  });

  it('are listed page by page', async () => {
    const made = [await make(), await make(), await make()];
    const found: (string | undefined)[] = [];
    let Marker: string | undefined;
    do {
      const page = await client.send(new ListKeysCommand({ Limit: 2, Marker }));
      expect(page.Keys?.length).toBeLessThanOrEqual(2);
      expect(page.Truncated).toBe(page.NextMarker !== undefined);
      found.push(...(page.Keys ?? []).map(({ KeyId }) => KeyId));
      Marker = page.NextMarker;
    } while (Marker !== undefined);
    expect(found).toEqual(expect.arrayContaining(made));
    expect(new Set(found).size).toBe(found.length);
    expect(await failureOf(client.send(new ListKeysCommand({ Marker: 'made up' })))).toMatchObject({
      name: 'InvalidMarkerException',
    });
  });

  it('are refused while disabled, and work again after', async () => {
    const KeyId = await make();
    const blob = await seal(KeyId, 'x');
    await client.send(new DisableKeyCommand({ KeyId }));
    expect(await failureOf(client.send(new DecryptCommand({ CiphertextBlob: blob })))).toEqual({
      name: 'DisabledException',
      status: 400,
      message: `${PLACE}:key/${KeyId} is disabled.`,
    });
    expect((await client.send(new DescribeKeyCommand({ KeyId }))).KeyMetadata?.Enabled).toBe(false);
    await client.send(new EnableKeyCommand({ KeyId }));
    expect(text((await client.send(new DecryptCommand({ CiphertextBlob: blob }))).Plaintext)).toBe('x');
  });

  it('wait for their deletion, which can be cancelled', async () => {
    const KeyId = await make();
    const blob = await seal(KeyId, 'x');
    const scheduled = await client.send(new ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays: 7 }));
    expect(scheduled).toMatchObject({ KeyState: 'PendingDeletion', PendingWindowInDays: 7 });
    expect(scheduled.DeletionDate?.getTime()).toBe(now + 7 * DAY);
    const pending = { name: 'KMSInvalidStateException', message: `${PLACE}:key/${KeyId} is pending deletion.` };
    expect(await failureOf(client.send(new DecryptCommand({ CiphertextBlob: blob })))).toMatchObject(pending);
    expect(await failureOf(client.send(new EnableKeyCommand({ KeyId })))).toMatchObject(pending);
    expect(await failureOf(client.send(new DisableKeyCommand({ KeyId })))).toMatchObject(pending);
    expect(await failureOf(client.send(new ScheduleKeyDeletionCommand({ KeyId })))).toMatchObject(pending);
    await client.send(new CancelKeyDeletionCommand({ KeyId }));
    expect((await client.send(new DescribeKeyCommand({ KeyId }))).KeyMetadata?.KeyState).toBe('Disabled');
    expect(await failureOf(client.send(new CancelKeyDeletionCommand({ KeyId })))).toMatchObject({
      name: 'KMSInvalidStateException',
    });
    await client.send(new EnableKeyCommand({ KeyId }));
    expect(text((await client.send(new DecryptCommand({ CiphertextBlob: blob }))).Plaintext)).toBe('x');
  });

  it('are gone with their aliases once the time has come', async () => {
    const KeyId = await make();
    const blob = await seal(KeyId, 'x');
    await client.send(new CreateAliasCommand({ AliasName: 'alias/doomed', TargetKeyId: KeyId }));
    await client.send(new ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays: 7 }));
    const before = now;
    now += 7 * DAY;
    const late = clientOf(kms, { systemClockOffset: 7 * DAY });
    expect(await failureOf(late.send(new DescribeKeyCommand({ KeyId })))).toEqual({
      name: 'NotFoundException',
      status: 400,
      message: `Key '${PLACE}:key/${KeyId}' does not exist`,
    });
    expect(await failureOf(late.send(new DescribeKeyCommand({ KeyId: 'alias/doomed' })))).toMatchObject({
      message: `Alias ${PLACE}:alias/doomed is not found.`,
    });
    expect(await failureOf(late.send(new DecryptCommand({ CiphertextBlob: blob })))).toEqual({
      name: 'AccessDeniedException',
      status: 400,
      message:
        'The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.',
    });
    now = before;
  });

  it.each<[string, CreateKeyCommandInput, string]>([
    ['a pair without its use', { KeySpec: 'RSA_2048' }, 'ValidationException'],
    ['a use that the spec has not', { KeySpec: 'ECC_SECG_P256K1', KeyUsage: 'KEY_AGREEMENT' }, 'ValidationException'],
    ['a symmetric key to sign', { KeyUsage: 'SIGN_VERIFY' }, 'ValidationException'],
    [
      'a spec that is not emulated',
      { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' },
      'UnsupportedOperationException',
    ],
    ['imported material', { Origin: 'EXTERNAL' }, 'UnsupportedOperationException'],
    ['a key for many regions', { MultiRegion: true }, 'UnsupportedOperationException'],
    [
      'a tag twice',
      {
        Tags: [
          { TagKey: 'a', TagValue: '1' },
          { TagKey: 'a', TagValue: '2' },
        ],
      },
      'TagException',
    ],
    ['a tag of AWS', { Tags: [{ TagKey: 'aws:a', TagValue: '1' }] }, 'TagException'],
    ['a policy that is no JSON', { Policy: '{' }, 'MalformedPolicyDocumentException'],
    [
      'a policy without principals',
      { Policy: JSON.stringify({ Statement: { Effect: 'Allow', Action: '*', Resource: '*' } }) },
      'MalformedPolicyDocumentException',
    ],
    [
      'a policy that locks its author out',
      {
        Policy: JSON.stringify({
          Statement: { Effect: 'Allow', Principal: '*', Action: 'kms:Decrypt', Resource: '*' },
        }),
      },
      'MalformedPolicyDocumentException',
    ],
  ])('are not made: %s', async (_, input, name) => {
    expect(await failureOf(client.send(new CreateKeyCommand(input)))).toMatchObject({ name, status: 400 });
  });
});

describe('the name of a key', () => {
  it.each([
    [ABSENT, `Key '${PLACE}:key/${ABSENT}' does not exist`],
    [`${PLACE}:key/${ABSENT}`, `Key '${PLACE}:key/${ABSENT}' does not exist`],
    ['alias/absent', `Alias ${PLACE}:alias/absent is not found.`],
    [`arn:aws:kms:eu-west-1:111122223333:key/${ABSENT}`, 'Invalid arn eu-west-1'],
    [`arn:aws:s3:::bucket`, 'Invalid arn arn:aws:s3:::bucket'],
    ['not a key', "Invalid keyId 'not a key'"],
    [
      `arn:aws:kms:us-east-1:444455556666:key/${ABSENT}`,
      `Key 'arn:aws:kms:us-east-1:444455556666:key/${ABSENT}' does not exist`,
    ],
  ])('finds nothing: %s', async (KeyId, message) => {
    expect(await failureOf(client.send(new DescribeKeyCommand({ KeyId })))).toEqual({
      name: 'NotFoundException',
      status: 400,
      message,
    });
  });

  it('may be an alias only where something is done with the key, not to it', async () => {
    await client.send(new CreateAliasCommand({ AliasName: 'alias/named', TargetKeyId: await make() }));
    expect(await failureOf(client.send(new DisableKeyCommand({ KeyId: 'alias/named' })))).toMatchObject({
      message: "Invalid keyId 'alias/named'",
    });
    expect((await client.send(new DescribeKeyCommand({ KeyId: `${PLACE}:alias/named` }))).KeyMetadata?.Enabled).toBe(
      true,
    );
  });
});

describe('aliases', () => {
  it('are made, listed, moved and deleted', async () => {
    const [first, second] = [await make(), await make()];
    await client.send(new CreateAliasCommand({ AliasName: 'alias/a/b', TargetKeyId: first }));
    const list = async (KeyId: string) =>
      (await client.send(new ListAliasesCommand({ KeyId }))).Aliases?.map(({ AliasName, AliasArn, TargetKeyId }) => ({
        AliasName,
        AliasArn,
        TargetKeyId,
      }));
    expect(await list(first)).toEqual([{ AliasName: 'alias/a/b', AliasArn: `${PLACE}:alias/a/b`, TargetKeyId: first }]);
    await client.send(new UpdateAliasCommand({ AliasName: 'alias/a/b', TargetKeyId: second }));
    expect([await list(first), (await list(second))?.length]).toEqual([[], 1]);
    await client.send(new DeleteAliasCommand({ AliasName: 'alias/a/b' }));
    expect(await list(second)).toEqual([]);
  });

  it('are refused', async () => {
    const [key, pair, doomed] = [
      await make(),
      await make({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' }),
      await make(),
    ];
    await client.send(new CreateAliasCommand({ AliasName: 'alias/taken', TargetKeyId: key }));
    await client.send(new ScheduleKeyDeletionCommand({ KeyId: doomed }));
    const create = (AliasName: string, TargetKeyId = key) =>
      failureOf(client.send(new CreateAliasCommand({ AliasName, TargetKeyId })));
    expect(await create('alias/taken')).toMatchObject({
      name: 'AlreadyExistsException',
      message: `An alias with the name ${PLACE}:alias/taken already exists`,
    });
    expect(await create('no-prefix')).toMatchObject({ name: 'ValidationException' });
    expect(await create('alias/a:b')).toMatchObject({ name: 'InvalidAliasNameException' });
    expect(await create('alias/ä')).toMatchObject({ name: 'ValidationException' });
    expect(await create('alias/aws/s3')).toMatchObject({ name: 'NotAuthorizedException' });
    expect(await create('alias/new', 'alias/taken')).toMatchObject({
      name: 'ValidationException',
      message: 'Aliases must refer to keys. Not aliases',
    });
    expect(await create('alias/new', ABSENT)).toMatchObject({ name: 'NotFoundException' });
    expect(await create('alias/new', doomed)).toMatchObject({ name: 'KMSInvalidStateException' });
    const moved = client.send(new UpdateAliasCommand({ AliasName: 'alias/taken', TargetKeyId: pair }));
    expect(await failureOf(moved)).toMatchObject({ name: 'ValidationException' });
    const absent = client.send(new DeleteAliasCommand({ AliasName: 'alias/absent' }));
    expect(await failureOf(absent)).toMatchObject({
      name: 'NotFoundException',
      message: `Alias ${PLACE}:alias/absent is not found.`,
    });
  });
});

describe('key policies', () => {
  const policy = (Sid: string) =>
    JSON.stringify({
      Version: '2012-10-17',
      Statement: [{ Sid, Effect: 'Allow', Principal: '*', Action: 'kms:*', Resource: '*' }],
    });

  it('are put and got as they are, and are the one named default', async () => {
    const KeyId = await make();
    const before = await client.send(new GetKeyPolicyCommand({ KeyId }));
    expect(JSON.parse(before.Policy ?? '')).toMatchObject({
      Statement: [{ Principal: { AWS: 'arn:aws:iam::111122223333:root' }, Action: 'kms:*' }],
    });
    await client.send(new PutKeyPolicyCommand({ KeyId, PolicyName: 'default', Policy: policy('New') }));
    expect(await client.send(new GetKeyPolicyCommand({ KeyId }))).toMatchObject({
      Policy: policy('New'),
      PolicyName: 'default',
    });
    expect((await client.send(new ListKeyPoliciesCommand({ KeyId }))).PolicyNames).toEqual(['default']);
    expect(await failureOf(client.send(new GetKeyPolicyCommand({ KeyId, PolicyName: 'other' })))).toMatchObject({
      name: 'NotFoundException',
    });
  });

  it('that lock their author out are refused, but where the check is switched off', async () => {
    const KeyId = await make();
    const Policy = JSON.stringify({
      Statement: { Effect: 'Allow', Principal: '*', Action: 'kms:Decrypt', Resource: '*' },
    });
    expect(await failureOf(client.send(new PutKeyPolicyCommand({ KeyId, Policy })))).toEqual({
      name: 'MalformedPolicyDocumentException',
      status: 400,
      message: 'The new key policy will not allow you to update the key policy in the future.',
    });
    await client.send(new PutKeyPolicyCommand({ KeyId, Policy, BypassPolicyLockoutSafetyCheck: true }));
    expect(await failureOf(client.send(new GetKeyPolicyCommand({ KeyId })))).toMatchObject({
      name: 'AccessDeniedException',
    });
  });

  it('decide who may do what, in the words of AWS', async () => {
    const KeyId = await make();
    const arn = `${PLACE}:key/${KeyId}`;
    const stranger = clientAs(kms, {
      accessKeyId: 'AKIASTRANGERSTRANGER',
      secretAccessKey: 's',
      principalArn: 'arn:aws:iam::111122223333:role/nobody',
      identityPolicies: [],
    });
    const attempt = () => failureOf(stranger.send(new EncryptCommand({ KeyId, Plaintext: Buffer.from('x') })));
    const user =
      'User: arn:aws:sts::111122223333:assumed-role/nobody/emulator is not authorized to perform: kms:Encrypt';
    expect(await attempt()).toEqual({
      name: 'AccessDeniedException',
      status: 400,
      message: `${user} on resource: ${arn} because no resource-based policy allows the kms:Encrypt action`,
    });
    const denial = {
      Effect: 'Deny',
      Principal: { AWS: 'arn:aws:iam::111122223333:role/nobody' },
      Action: 'kms:Encrypt',
      Resource: '*',
    };
    const { Statement } = JSON.parse(policy('All'));
    await client.send(
      new PutKeyPolicyCommand({
        KeyId,
        Policy: JSON.stringify({ Version: '2012-10-17', Statement: [...Statement, denial] }),
      }),
    );
    expect(await attempt()).toMatchObject({
      message: `${user} on resource: ${arn} with an explicit deny in a resource-based policy`,
    });
    await client.send(new PutKeyPolicyCommand({ KeyId, Policy: policy('All') }));
    await stranger.send(new EncryptCommand({ KeyId, Plaintext: Buffer.from('x') }));
    const random = failureOf(stranger.send(new GenerateRandomCommand({ NumberOfBytes: 1 })));
    expect(await random).toMatchObject({
      message: expect.stringContaining('because no identity-based policy allows the kms:GenerateRandom action'),
    });
    stranger.destroy();
  });

  it('see the request as it is: context, alias, service, address, tags', async () => {
    const statement = (Sid: string, Condition: object) => ({
      Sid,
      Effect: 'Deny',
      Principal: '*',
      Action: 'kms:Encrypt',
      Resource: '*',
      Condition,
    });
    const Statement = [
      ...JSON.parse(policy('All')).Statement,
      statement('Context', { StringEquals: { 'kms:EncryptionContext:tenant': 'a' } }),
      statement('Alias', { StringEquals: { 'kms:RequestAlias': 'alias/seen' } }),
      statement('Service', { StringEquals: { 'kms:ViaService': 's3.us-east-1.amazonaws.com' } }),
      statement('Address', { NotIpAddress: { 'aws:SourceIp': '127.0.0.0/8' } }),
      statement('Tag', { StringEquals: { 'aws:PrincipalTag/team': 'red' } }),
      statement('Key', { StringEquals: { 'aws:ResourceTag/stage': 'closed' } }),
      statement('Agent', { StringLike: { 'aws:UserAgent': '*suspicious*' } }),
    ];
    const Policy = JSON.stringify({ Version: '2012-10-17', Statement });
    const KeyId = await make({ Policy });
    const closed = await make({ Policy, Tags: [{ TagKey: 'stage', TagValue: 'closed' }] });
    await client.send(new CreateAliasCommand({ AliasName: 'alias/seen', TargetKeyId: KeyId }));
    const Plaintext = Buffer.from('x');
    const outcomeOf = (sender: KMSClient, input: { KeyId: string; EncryptionContext?: Record<string, string> }) =>
      sender.send(new EncryptCommand({ Plaintext, ...input })).then(
        () => 'allowed',
        (error: Error) => error.name,
      );
    const through = clientAs(kms, {
      ...kms.credentials,
      accessKeyId: 'AKIAVIASERVICEVIASER',
      viaService: 's3.us-east-1.amazonaws.com',
    });
    const red = clientAs(kms, { ...kms.credentials, accessKeyId: 'AKIAREDREDREDREDREDR', tags: { team: 'red' } });
    const suspicious = clientOf(kms, { customUserAgent: 'suspicious' });
    expect(await outcomeOf(client, { KeyId })).toBe('allowed');
    expect(await outcomeOf(client, { KeyId, EncryptionContext: { tenant: 'b' } })).toBe('allowed');
    expect(await outcomeOf(client, { KeyId, EncryptionContext: { tenant: 'a' } })).toBe('AccessDeniedException');
    expect(await outcomeOf(client, { KeyId: 'alias/seen' })).toBe('AccessDeniedException');
    expect(await outcomeOf(client, { KeyId: closed })).toBe('AccessDeniedException');
    expect(await outcomeOf(through, { KeyId })).toBe('AccessDeniedException');
    expect(await outcomeOf(red, { KeyId })).toBe('AccessDeniedException');
    expect(await outcomeOf(suspicious, { KeyId })).toBe('AccessDeniedException');
    for (const one of [through, red, suspicious]) one.destroy();
  });
});

describe('ciphertexts', () => {
  it('open under their key and their context only', async () => {
    const [KeyId, other] = [await make(), await make()];
    const blob = await seal(KeyId, 'x', { a: '1', b: '2' });
    const open = (input: { KeyId?: string; EncryptionContext?: Record<string, string> }) =>
      client.send(new DecryptCommand({ CiphertextBlob: blob, ...input }));
    expect(text((await open({ EncryptionContext: { b: '2', a: '1' } })).Plaintext)).toBe('x');
    const refused = { name: 'InvalidCiphertextException', status: 400 };
    expect(await failureOf(open({}))).toMatchObject(refused);
    expect(await failureOf(open({ EncryptionContext: { a: '1' } }))).toMatchObject(refused);
    expect(await failureOf(open({ EncryptionContext: { a: '1', b: '2', c: '3' } }))).toMatchObject(refused);
    expect(await failureOf(open({ EncryptionContext: { a: '1b', '': '2' } }))).toMatchObject(refused);
    expect(await failureOf(open({ EncryptionContext: { A: '1', b: '2' } }))).toMatchObject(refused);
    expect(await failureOf(open({ KeyId: other, EncryptionContext: { a: '1', b: '2' } }))).toEqual({
      name: 'IncorrectKeyException',
      status: 400,
      message: 'The key ID in the request does not identify a CMK that can perform this operation.',
    });
  });

  it('do not open with any byte changed', async () => {
    const blob = await seal(await make(), 'x');
    for (const index of [0, 4, 5, 20, 21, 33, blob.length - 17, blob.length - 1]) {
      const changed = Uint8Array.from(blob);
      changed[index] = (changed[index] ?? 0) ^ 1;
      const { name } = await failureOf(client.send(new DecryptCommand({ CiphertextBlob: changed })));
      // Bytes 5 to 20 name the key: another one is none that this caller has.
      expect(name).toBe(index === 5 || index === 20 ? 'AccessDeniedException' : 'InvalidCiphertextException');
    }
  });

  it('that are too short, or somebody else’s, do not open', async () => {
    for (const blob of [Buffer.from([1]), Buffer.from('EKMS\u0001'), Buffer.alloc(200, 1)]) {
      expect(await failureOf(client.send(new DecryptCommand({ CiphertextBlob: blob })))).toMatchObject({
        name: 'InvalidCiphertextException',
      });
    }
  });

  it('are encrypted anew under another key and context', async () => {
    const [from, to] = [await make(), await make()];
    const blob = await seal(from, 'x', { a: '1' });
    const answer = await client.send(
      new ReEncryptCommand({
        CiphertextBlob: blob,
        SourceEncryptionContext: { a: '1' },
        DestinationKeyId: to,
        DestinationEncryptionContext: { b: '2' },
      }),
    );
    expect(answer).toMatchObject({ SourceKeyId: `${PLACE}:key/${from}`, KeyId: `${PLACE}:key/${to}` });
    const opened = await client.send(
      new DecryptCommand({ CiphertextBlob: answer.CiphertextBlob, EncryptionContext: { b: '2' } }),
    );
    expect([text(opened.Plaintext), opened.KeyId]).toEqual(['x', `${PLACE}:key/${to}`]);
    const wrong = client.send(new ReEncryptCommand({ CiphertextBlob: blob, DestinationKeyId: to }));
    expect(await failureOf(wrong)).toMatchObject({ name: 'InvalidCiphertextException' });
  });

  it('of RSA open, whoever encrypted with the public key', async () => {
    const KeyId = await make({ KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' });
    const { PublicKey, EncryptionAlgorithms } = await client.send(new GetPublicKeyCommand({ KeyId }));
    expect(EncryptionAlgorithms).toEqual(['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256']);
    const key = createPublicKey({ key: Buffer.from(PublicKey ?? []), format: 'der', type: 'spki' });
    const sealed = publicEncrypt(
      { key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' },
      Buffer.from('x'),
    );
    const open = (EncryptionAlgorithm: 'RSAES_OAEP_SHA_1' | 'RSAES_OAEP_SHA_256') =>
      client.send(new DecryptCommand({ KeyId, CiphertextBlob: sealed, EncryptionAlgorithm }));
    expect(text((await open('RSAES_OAEP_SHA_256')).Plaintext)).toBe('x');
    expect(await failureOf(open('RSAES_OAEP_SHA_1'))).toMatchObject({ name: 'InvalidCiphertextException' });
    const own = await client.send(
      new EncryptCommand({ KeyId, Plaintext: Buffer.from('y'), EncryptionAlgorithm: 'RSAES_OAEP_SHA_1' }),
    );
    const opened = await client.send(
      new DecryptCommand({ KeyId, CiphertextBlob: own.CiphertextBlob, EncryptionAlgorithm: 'RSAES_OAEP_SHA_1' }),
    );
    expect(text(opened.Plaintext)).toBe('y');
    const long = client.send(
      new EncryptCommand({ KeyId, Plaintext: Buffer.alloc(191), EncryptionAlgorithm: 'RSAES_OAEP_SHA_256' }),
    );
    expect(await failureOf(long)).toMatchObject({
      name: 'ValidationException',
      message: 'Algorithm RSAES_OAEP_SHA_256 and key spec RSA_2048 cannot encrypt data larger than 190 bytes.',
    });
    const symmetric = client.send(new EncryptCommand({ KeyId, Plaintext: Buffer.from('x') }));
    expect(await failureOf(symmetric)).toMatchObject({ name: 'InvalidKeyUsageException' });
    const bound = client.send(
      new EncryptCommand({
        KeyId,
        Plaintext: Buffer.from('x'),
        EncryptionAlgorithm: 'RSAES_OAEP_SHA_1',
        EncryptionContext: { a: 'b' },
      }),
    );
    expect(await failureOf(bound)).toMatchObject({ name: 'ValidationException' });
    const unnamed = client.send(
      new DecryptCommand({ CiphertextBlob: sealed, EncryptionAlgorithm: 'RSAES_OAEP_SHA_256' }),
    );
    expect(await failureOf(unnamed)).toMatchObject({ name: 'ValidationException' });
  });
});

describe('data keys', () => {
  it.each([
    [{ KeySpec: 'AES_128' as const }, 16],
    [{ KeySpec: 'AES_256' as const }, 32],
    [{ NumberOfBytes: 1 }, 1],
    [{ NumberOfBytes: 1024 }, 1024],
  ])('have the length that is asked for: %o', async (length, bytes) => {
    const KeyId = await make();
    const EncryptionContext = { a: 'b' };
    const made = await client.send(new GenerateDataKeyCommand({ KeyId, ...length, EncryptionContext }));
    expect(made.Plaintext).toHaveLength(bytes);
    const opened = await client.send(new DecryptCommand({ CiphertextBlob: made.CiphertextBlob, EncryptionContext }));
    expect(opened.Plaintext).toEqual(made.Plaintext);
    const hidden = await client.send(new GenerateDataKeyWithoutPlaintextCommand({ KeyId, ...length }));
    expect(hidden).not.toHaveProperty('Plaintext');
    expect((await client.send(new DecryptCommand({ CiphertextBlob: hidden.CiphertextBlob }))).Plaintext).toHaveLength(
      bytes,
    );
  });

  it('need one length, and a symmetric key', async () => {
    const KeyId = await make();
    const sentence = { name: 'ValidationException', message: 'Please specify either number of bytes or key spec.' };
    expect(await failureOf(client.send(new GenerateDataKeyCommand({ KeyId })))).toMatchObject(sentence);
    expect(
      await failureOf(client.send(new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256', NumberOfBytes: 32 }))),
    ).toMatchObject(sentence);
    const rsa = await make({ KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' });
    const wrong = client.send(new GenerateDataKeyCommand({ KeyId: rsa, KeySpec: 'AES_256' }));
    expect(await failureOf(wrong)).toMatchObject({ name: 'InvalidKeyUsageException' });
  });

  it.each(['RSA_2048', 'ECC_NIST_P256', 'ECC_NIST_P384', 'ECC_NIST_P521', 'ECC_SECG_P256K1'] as const)(
    'come in pairs: %s',
    async (KeyPairSpec) => {
      const KeyId = await make();
      const made = await client.send(new GenerateDataKeyPairCommand({ KeyId, KeyPairSpec }));
      const privateKey = createPrivateKey({
        key: Buffer.from(made.PrivateKeyPlaintext ?? []),
        format: 'der',
        type: 'pkcs8',
      });
      expect(createPublicKey(privateKey).export({ format: 'der', type: 'spki' })).toEqual(
        Buffer.from(made.PublicKey ?? []),
      );
      const opened = await client.send(new DecryptCommand({ CiphertextBlob: made.PrivateKeyCiphertextBlob }));
      expect(opened.Plaintext).toEqual(made.PrivateKeyPlaintext);
      const hidden = await client.send(new GenerateDataKeyPairWithoutPlaintextCommand({ KeyId, KeyPairSpec }));
      expect(hidden).toMatchObject({
        KeyPairSpec,
        PublicKey: expect.any(Uint8Array),
        PrivateKeyCiphertextBlob: expect.any(Uint8Array),
      });
      expect(hidden).not.toHaveProperty('PrivateKeyPlaintext');
    },
  );

  it('are random', async () => {
    const random = async () =>
      Buffer.from((await client.send(new GenerateRandomCommand({ NumberOfBytes: 32 }))).Plaintext ?? []).toString(
        'hex',
      );
    const [first, second] = [await random(), await random()];
    expect([first.length, second.length, first === second]).toEqual([64, 64, false]);
    expect(await failureOf(client.send(new GenerateRandomCommand({})))).toMatchObject({ name: 'ValidationException' });
    expect(await failureOf(client.send(new GenerateRandomCommand({ NumberOfBytes: 1025 })))).toMatchObject({
      name: 'ValidationException',
    });
  });
});

/** Verifies with OpenSSL what KMS signed. */
function holds(key: KeyObject, signature: Uint8Array, algorithm: SigningAlgorithmSpec): boolean {
  const hash = `sha${algorithm.slice(-3)}`;
  const isPss = algorithm.startsWith('RSASSA_PSS');
  const options = isPss
    ? { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
    : { key };
  return verifyWith(hash, Buffer.from('message'), options, signature);
}

describe('signatures', () => {
  const RSA: SigningAlgorithmSpec[] = [
    'RSASSA_PSS_SHA_256',
    'RSASSA_PSS_SHA_384',
    'RSASSA_PSS_SHA_512',
    'RSASSA_PKCS1_V1_5_SHA_256',
    'RSASSA_PKCS1_V1_5_SHA_384',
    'RSASSA_PKCS1_V1_5_SHA_512',
  ];

  it.each<[KeySpec, SigningAlgorithmSpec[]]>([
    ['RSA_2048', RSA],
    ['RSA_3072', ['RSASSA_PSS_SHA_512']],
    ['ECC_NIST_P256', ['ECDSA_SHA_256']],
    ['ECC_NIST_P384', ['ECDSA_SHA_384']],
    ['ECC_NIST_P521', ['ECDSA_SHA_512']],
    ['ECC_SECG_P256K1', ['ECDSA_SHA_256']],
  ])('of %s hold for OpenSSL and for KMS, of messages and of digests', async (spec, algorithms) => {
    const KeyId = await make({ KeySpec: spec, KeyUsage: 'SIGN_VERIFY' });
    const { PublicKey, SigningAlgorithms } = await client.send(new GetPublicKeyCommand({ KeyId }));
    expect(SigningAlgorithms).toEqual(expect.arrayContaining(algorithms));
    const key = createPublicKey({ key: Buffer.from(PublicKey ?? []), format: 'der', type: 'spki' });
    for (const SigningAlgorithm of algorithms) {
      const Message = Buffer.from('message');
      const digest = createHash(`sha${SigningAlgorithm.slice(-3)}`)
        .update(Message)
        .digest();
      const raw = await client.send(new SignCommand({ KeyId, Message, SigningAlgorithm }));
      const ofDigest = await client.send(
        new SignCommand({ KeyId, Message: digest, MessageType: 'DIGEST', SigningAlgorithm }),
      );
      for (const { Signature = new Uint8Array() } of [raw, ofDigest]) {
        expect(holds(key, Signature, SigningAlgorithm)).toBe(true);
        expect(
          (await client.send(new VerifyCommand({ KeyId, Message, Signature, SigningAlgorithm }))).SignatureValid,
        ).toBe(true);
        const byDigest = new VerifyCommand({
          KeyId,
          Message: digest,
          MessageType: 'DIGEST',
          Signature,
          SigningAlgorithm,
        });
        expect((await client.send(byDigest)).SignatureValid).toBe(true);
        const other = new VerifyCommand({ KeyId, Message: Buffer.from('massage'), Signature, SigningAlgorithm });
        expect(await failureOf(client.send(other))).toMatchObject({
          name: 'KMSInvalidSignatureException',
          status: 400,
        });
        const changed = Uint8Array.from(Signature);
        changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
        const forged = new VerifyCommand({ KeyId, Message, Signature: changed, SigningAlgorithm });
        expect(await failureOf(client.send(forged))).toMatchObject({ name: 'KMSInvalidSignatureException' });
        const short = new VerifyCommand({ KeyId, Message, Signature: Signature.subarray(0, 10), SigningAlgorithm });
        expect(await failureOf(client.send(short))).toMatchObject({ name: 'KMSInvalidSignatureException' });
      }
    }
  });

  it('are refused for the wrong algorithm, digest, use and kind of message', async () => {
    const KeyId = await make({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' });
    const sign = (input: {
      KeyId?: string;
      Message?: Uint8Array;
      MessageType?: 'RAW' | 'DIGEST' | 'EXTERNAL_MU';
      SigningAlgorithm?: SigningAlgorithmSpec;
    }) =>
      failureOf(
        client.send(new SignCommand({ KeyId, Message: Buffer.alloc(32), SigningAlgorithm: 'ECDSA_SHA_256', ...input })),
      );
    expect(await sign({ SigningAlgorithm: 'ECDSA_SHA_384' })).toMatchObject({ name: 'InvalidKeyUsageException' });
    expect(await sign({ SigningAlgorithm: 'SM2DSA' })).toMatchObject({ name: 'InvalidKeyUsageException' });
    expect(await sign({ Message: Buffer.alloc(31), MessageType: 'DIGEST' })).toMatchObject({
      name: 'ValidationException',
      message: 'Digest is invalid length for algorithm ECDSA_SHA_256.',
    });
    expect(await sign({ MessageType: 'EXTERNAL_MU' })).toMatchObject({ name: 'ValidationException' });
    const encrypting = await make();
    expect(await sign({ KeyId: encrypting })).toMatchObject({
      name: 'InvalidKeyUsageException',
      message: `${PLACE}:key/${encrypting} key usage is ENCRYPT_DECRYPT which is not valid for Sign.`,
    });
    expect(await failureOf(client.send(new GetPublicKeyCommand({ KeyId: encrypting })))).toMatchObject({
      name: 'UnsupportedOperationException',
    });
    expect(await failureOf(client.send(new EncryptCommand({ KeyId, Plaintext: Buffer.from('x') })))).toMatchObject({
      name: 'InvalidKeyUsageException',
    });
  });
});

describe('key agreement', () => {
  it.each([
    [
      'a key on another curve',
      () => generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey.export({ format: 'der', type: 'spki' }),
    ],
    [
      'an RSA key',
      () => generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'der', type: 'spki' }),
    ],
    ['bytes that are no key', () => Buffer.from('no key')],
  ])('is refused with %s', async (_, peer) => {
    const KeyId = await make({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'KEY_AGREEMENT' });
    const call = client.send(
      new DeriveSharedSecretCommand({ KeyId, KeyAgreementAlgorithm: 'ECDH', PublicKey: peer() }),
    );
    expect(await failureOf(call)).toMatchObject({ name: 'ValidationException' });
  });

  it('gives the plain secret to whoever names no recipient', async () => {
    const [first, second] = [
      await make({ KeySpec: 'ECC_NIST_P521', KeyUsage: 'KEY_AGREEMENT' }),
      await make({ KeySpec: 'ECC_NIST_P521', KeyUsage: 'KEY_AGREEMENT' }),
    ];
    const derive = async (KeyId: string, other: string) => {
      const { PublicKey } = await client.send(new GetPublicKeyCommand({ KeyId: other }));
      return client.send(new DeriveSharedSecretCommand({ KeyId, KeyAgreementAlgorithm: 'ECDH', PublicKey }));
    };
    const [mine, theirs] = [await derive(first, second), await derive(second, first)];
    expect(mine.SharedSecret).toHaveLength(66);
    expect(mine.SharedSecret).toEqual(theirs.SharedSecret);
  });
});

describe('requests of the wrong form', () => {
  it('are told what is wrong in the words of AWS', async () => {
    const empty = client.send(new EncryptCommand({ KeyId: '', Plaintext: Buffer.from('x') }));
    expect(await failureOf(empty)).toEqual({
      name: 'ValidationException',
      status: 400,
      message:
        "1 validation error detected: Value '' at 'keyId' failed to satisfy constraint: Member must have length greater than or equal to 1",
    });
    const large = client.send(new EncryptCommand({ KeyId: 'x', Plaintext: Buffer.alloc(4097) }));
    expect(await failureOf(large)).toMatchObject({
      message:
        "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to 4096",
    });
    const missing = client.send(new EncryptCommand({ KeyId: undefined, Plaintext: undefined }));
    expect(await failureOf(missing)).toMatchObject({
      message:
        "2 validation errors detected: Value 'null' at 'keyId' failed to satisfy constraint: Member must not be null; Value 'null' at 'plaintext' failed to satisfy constraint: Member must not be null",
    });
    const spec = client.send(new GenerateDataKeyCommand({ KeyId: 'x', KeySpec: 'AES_512' as 'AES_256' }));
    expect(await failureOf(spec)).toMatchObject({
      message:
        "1 validation error detected: Value 'AES_512' at 'keySpec' failed to satisfy constraint: Member must satisfy enum value set: [AES_256, AES_128]",
    });
  });

  it('are refused when they name no operation of this KMS', async () => {
    const call = client.send(
      new GenerateMacCommand({ KeyId: ABSENT, Message: Buffer.from('x'), MacAlgorithm: 'HMAC_SHA_256' }),
    );
    expect(await failureOf(call)).toMatchObject({ name: 'UnknownOperationException', status: 400 });
  });

  it('do nothing in a dry run, but say whether they would', async () => {
    const KeyId = await make();
    const dry = client.send(new EncryptCommand({ KeyId, Plaintext: Buffer.from('x'), DryRun: true }));
    expect(await failureOf(dry)).toEqual({
      name: 'DryRunOperationException',
      status: 412,
      message: 'The request would have succeeded, but the DryRun option is set.',
    });
    const absent = client.send(new EncryptCommand({ KeyId: ABSENT, Plaintext: Buffer.from('x'), DryRun: true }));
    expect(await failureOf(absent)).toMatchObject({ name: 'NotFoundException' });
  });
});
