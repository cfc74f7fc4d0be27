import type { KMSClient } from '@aws-sdk/client-kms';
import {
  DecryptCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  GenerateRandomCommand,
  ScheduleKeyDeletionCommand,
} from '@aws-sdk/client-kms';
import type { EmulatedKms, NitroPki } from '@nitro-enclaves/emulator';
import { createNitroPki, startEmulatedKms } from '@nitro-enclaves/emulator';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { MODULE_ID, PCRS, pcr, recipientOf } from './enclave.ts';
import { clientAs, clientOf, failureOf } from './sdk.ts';

const KEY = '11111111-2222-3333-4444-555555555555';
const ARN = `arn:aws:kms:us-east-1:111122223333:key/${KEY}`;
const SESSION = 'arn:aws:sts::111122223333:assumed-role/enclave/i-0abc';

const lines: string[] = [];
let pki: NitroPki;
let kms: EmulatedKms;
let client: KMSClient;

beforeAll(async () => {
  pki = await createNitroPki();
  const credentials = {
    accessKeyId: 'ASIAAUDITAUDITAUDITA',
    secretAccessKey: 'the secret access key',
    sessionToken: 'the session token',
    principalArn: SESSION,
  };
  kms = await startEmulatedKms({
    attestation: { roots: [pki.rootCertificate] },
    keys: [{ keyId: KEY }],
    credentials: [credentials],
    audit: (line) => lines.push(line),
  });
  client = clientOf(kms);
});

beforeEach(() => lines.splice(0));

afterAll(async () => {
  client.destroy();
  await kms.close();
});

function lastRecord() {
  return JSON.parse(lines.at(-1) ?? '{}');
}

function base64(hex: string | undefined): string {
  return Buffer.from(hex ?? '', 'hex').toString('base64');
}

describe('an audit line', () => {
  it('has what CloudTrail records of an attested call', async () => {
    const Recipient = await recipientOf(pki);
    const answer = await client.send(
      new GenerateDataKeyCommand({ KeyId: KEY, KeySpec: 'AES_256', EncryptionContext: { tenant: 'a' }, Recipient }),
    );
    expect(lines).toHaveLength(1);
    expect(lastRecord()).toMatchObject({
      eventSource: 'kms.amazonaws.com',
      eventName: 'GenerateDataKey',
      awsRegion: 'us-east-1',
      sourceIPAddress: '127.0.0.1',
      userAgent: expect.stringContaining('aws-sdk-js'),
      userIdentity: {
        type: 'AssumedRole',
        arn: SESSION,
        accountId: '111122223333',
        accessKeyId: 'ASIAAUDITAUDITAUDITA',
        sessionContext: { sessionIssuer: { type: 'Role', arn: 'arn:aws:iam::111122223333:role/enclave' } },
      },
      requestParameters: { keyId: KEY, keySpec: 'AES_256', encryptionContext: { tenant: 'a' } },
      responseElements: null,
      additionalEventData: {
        recipient: {
          attestationDocumentModuleId: MODULE_ID,
          attestationDocumentEnclaveImageDigest: base64(PCRS[0]),
          attestationDocumentEnclavePCR1: base64(PCRS[1]),
          attestationDocumentEnclavePCR2: base64(PCRS[2]),
          attestationDocumentEnclavePCR3: base64(PCRS[3]),
          attestationDocumentEnclavePCR4: base64(PCRS[4]),
          attestationDocumentEnclavePCR8: base64(PCRS[8]),
        },
      },
      requestID: answer.$metadata.requestId,
      readOnly: true,
      resources: [{ accountId: '111122223333', type: 'AWS::KMS::Key', ARN }],
      eventType: 'AwsApiCall',
      recipientAccountId: '111122223333',
      emulator: {
        decisions: [{ decision: 'allowed', policy: 'key', statement: 0, sid: 'Enable IAM User Permissions' }],
      },
    });
    expect(lastRecord()).not.toHaveProperty('errorCode');
  });

  it('has the PCRs of a NitroTPM by their own names', async () => {
    const pcrs = { 4: pcr(4), 7: pcr(7), 11: pcr(11), 23: pcr(23) };
    const Recipient = await recipientOf(pki, { kind: 'nitrotpm', moduleId: MODULE_ID.replace('-enc', '-tpm'), pcrs });
    await client.send(new GenerateRandomCommand({ NumberOfBytes: 8, Recipient }));
    expect(lastRecord().additionalEventData.recipient).toEqual({
      attestationDocumentModuleId: MODULE_ID.replace('-enc', '-tpm'),
      attestationDocumentNitroTPMPCR4: base64(pcr(4)),
      attestationDocumentNitroTPMPCR7: base64(pcr(7)),
      attestationDocumentNitroTPMPCR23: base64(pcr(23)),
    });
    expect(lastRecord().resources).toEqual([]);
  });

  it('of a call that was denied says why, and nothing of the recipient', async () => {
    const other = clientAs(kms, {
      accessKeyId: 'AKIANOBODYNOBODYNOBO',
      secretAccessKey: 's',
      principalArn: 'arn:aws:iam::111122223333:user/nobody',
      identityPolicies: [],
    });
    await failureOf(
      other.send(new GenerateDataKeyCommand({ KeyId: KEY, KeySpec: 'AES_256', Recipient: await recipientOf(pki) })),
    );
    expect(lastRecord()).toMatchObject({
      errorCode: 'AccessDenied',
      errorMessage: expect.stringContaining('is not authorized to perform: kms:GenerateDataKey'),
      userIdentity: { type: 'IAMUser', userName: 'nobody' },
      emulator: { decisions: [{ decision: 'implicitDeny' }] },
    });
    expect(lastRecord()).not.toHaveProperty('additionalEventData');
    other.destroy();
  });

  it('of a request that nobody signed names nobody', async () => {
    const stranger = clientOf(kms, { credentials: { accessKeyId: 'AKIAUNKNOWNUNKNOWNUN', secretAccessKey: 's' } });
    await failureOf(stranger.send(new EncryptCommand({ KeyId: KEY, Plaintext: Buffer.from('x') })));
    expect(lastRecord()).toMatchObject({
      eventName: 'Encrypt',
      errorCode: 'UnrecognizedClientException',
      userIdentity: { type: 'Unknown' },
      requestParameters: null,
    });
    stranger.destroy();
  });

  it('tells reading from changing', async () => {
    await failureOf(client.send(new ScheduleKeyDeletionCommand({ KeyId: KEY, PendingWindowInDays: 1 })));
    expect(lastRecord()).toMatchObject({
      eventName: 'ScheduleKeyDeletion',
      readOnly: false,
      errorCode: 'ValidationException',
      requestParameters: { keyId: KEY, pendingWindowInDays: 1 },
    });
  });

  it('warns of grant tokens, which are ignored', async () => {
    await client.send(
      new EncryptCommand({ KeyId: KEY, Plaintext: Buffer.from('x'), GrantTokens: ['the grant token'] }),
    );
    expect(lastRecord().emulator.warnings).toEqual(['GrantTokens are ignored: this KMS has no grants']);
  });

  it('never holds a secret, a ciphertext, a document or a token', async () => {
    const secret = Buffer.from('a secret that must not be logged');
    const { CiphertextBlob } = await client.send(
      new EncryptCommand({ KeyId: KEY, Plaintext: secret, GrantTokens: ['the grant token'] }),
    );
    const { Plaintext } = await client.send(new DecryptCommand({ CiphertextBlob }));
    const Recipient = await recipientOf(pki);
    const dataKey = await client.send(new GenerateDataKeyCommand({ KeyId: KEY, KeySpec: 'AES_256' }));
    await client.send(new GenerateDataKeyCommand({ KeyId: KEY, KeySpec: 'AES_256', Recipient }));
    const all = lines.join('\n');
    expect(Buffer.from(Plaintext ?? [])).toEqual(secret);
    const forbidden = [
      secret,
      CiphertextBlob,
      dataKey.Plaintext,
      dataKey.CiphertextBlob,
      Recipient.AttestationDocument,
    ];
    for (const bytes of forbidden)
      expect(all).not.toContain(
        Buffer.from(bytes ?? [])
          .toString('base64')
          .slice(0, 24),
      );
    for (const text of ['a secret that', 'the grant token', 'the session token', 'the secret access key'])
      expect(all).not.toContain(text);
  });
});
