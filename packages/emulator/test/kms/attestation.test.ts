import { generateKeyPairSync } from 'node:crypto';
import type { KMSClient } from '@aws-sdk/client-kms';
import {
  DecryptCommand,
  DeriveSharedSecretCommand,
  DescribeKeyCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  GenerateDataKeyPairCommand,
  GenerateRandomCommand,
  GetPublicKeyCommand,
} from '@aws-sdk/client-kms';
import type { EmulatedKms, EmulatedKmsOptions, FlawName, NitroPki } from '@nitro-enclaves/emulator';
import {
  createNitroPki,
  FLAWS,
  issueFlawedDocument,
  startEmulatedKms,
  unsignedDocumentsAllowed,
} from '@nitro-enclaves/emulator';
import { Encoder } from 'cbor-x';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { documentOf, MODULE_ID, openForEnclave, PCRS, PUBLIC_KEY, pcr, recipientOf } from './enclave.ts';
import { clientOf, failureOf } from './sdk.ts';

const MINUTE = 60_000;
const ENCLAVE = 'arn:aws:iam::111122223333:role/enclave';
const ZERO = pcr(0);

/** Whoever has the document of the image may decrypt; the administrator may do everything else. */
const POLICY = {
  Version: '2012-10-17',
  Statement: [
    {
      Sid: 'Administration',
      Effect: 'Allow',
      Principal: '*',
      NotAction: ['kms:Decrypt', 'kms:GenerateDataKey*', 'kms:DeriveSharedSecret'],
      Resource: '*',
    },
    {
      Sid: 'Enclave',
      Effect: 'Allow',
      Principal: { AWS: ENCLAVE },
      Action: ['kms:Decrypt', 'kms:GenerateDataKey*', 'kms:DeriveSharedSecret'],
      Resource: '*',
      Condition: {
        StringEqualsIgnoreCase: {
          'kms:RecipientAttestation:ImageSha384': PCRS[0],
          'kms:RecipientAttestation:PCR3': PCRS[3],
        },
      },
    },
  ],
};

const CREDENTIALS = {
  accessKeyId: 'ASIAENCLAVEENCLAVEEN',
  secretAccessKey: 's',
  sessionToken: 't',
  principalArn: ENCLAVE,
  identityPolicies: [],
};

let pki: NitroPki;
let kms: EmulatedKms;
let client: KMSClient;
let blob: Uint8Array | undefined;

function start(options: Partial<EmulatedKmsOptions> = {}): Promise<EmulatedKms> {
  return startEmulatedKms({
    attestation: { roots: [pki.rootCertificate] },
    credentials: [CREDENTIALS],
    keys: [
      { alias: 'alias/image', policy: POLICY },
      { alias: 'alias/agreement', policy: POLICY, keySpec: 'ECC_NIST_P256', keyUsage: 'KEY_AGREEMENT' },
    ],
    ...options,
  });
}

beforeAll(async () => {
  pki = await createNitroPki();
  kms = await start();
  client = clientOf(kms);
  blob = (await client.send(new EncryptCommand({ KeyId: 'alias/image', Plaintext: Buffer.from('secret') })))
    .CiphertextBlob;
});

afterAll(async () => {
  client.destroy();
  await kms.close();
});

async function decryptFor(document: Uint8Array | undefined, sender = client) {
  const Recipient = document && {
    KeyEncryptionAlgorithm: 'RSAES_OAEP_SHA_256' as const,
    AttestationDocument: document,
  };
  return sender.send(new DecryptCommand({ CiphertextBlob: blob, KeyId: 'alias/image', Recipient }));
}

const DENIED = {
  name: 'AccessDeniedException',
  status: 400,
  message: expect.stringContaining('no resource-based policy allows the kms:Decrypt action'),
};

describe('a document that is what the policy asks for', () => {
  it.each(['indefinite', 'definite'] as const)('decrypts, its payload a map of %s length', async (encoding) => {
    const answer = await decryptFor(await documentOf(pki, { encoding }));
    expect(Buffer.from(openForEnclave(answer.CiphertextForRecipient)).toString()).toBe('secret');
    expect(answer).not.toHaveProperty('Plaintext');
  });

  it.each([
    [
      'GenerateDataKey',
      async (Recipient: Awaited<ReturnType<typeof recipientOf>>) =>
        client.send(new GenerateDataKeyCommand({ KeyId: 'alias/image', KeySpec: 'AES_128', Recipient })),
      'Plaintext',
    ],
    [
      'GenerateDataKeyPair',
      async (Recipient: Awaited<ReturnType<typeof recipientOf>>) =>
        client.send(new GenerateDataKeyPairCommand({ KeyId: 'alias/image', KeyPairSpec: 'ECC_NIST_P256', Recipient })),
      'PrivateKeyPlaintext',
    ],
    [
      'DeriveSharedSecret',
      async (Recipient: Awaited<ReturnType<typeof recipientOf>>) => {
        const { PublicKey } = await client.send(new GetPublicKeyCommand({ KeyId: 'alias/agreement' }));
        return client.send(
          new DeriveSharedSecretCommand({
            KeyId: 'alias/agreement',
            KeyAgreementAlgorithm: 'ECDH',
            PublicKey,
            Recipient,
          }),
        );
      },
      'SharedSecret',
    ],
  ] as const)('is what %s goes by, too', async (_, call, member) => {
    const answer = await call(await recipientOf(pki));
    expect(openForEnclave(answer.CiphertextForRecipient).length).toBeGreaterThanOrEqual(16);
    expect(answer).not.toHaveProperty(member);
    expect(await failureOf(call(await recipientOf(pki, { pcrs: { ...PCRS, 0: pcr(1) } })))).toMatchObject({
      name: 'AccessDeniedException',
    });
  });

  it('may be of a NitroTPM where the policy asks for one', async () => {
    const Condition = { StringEquals: { 'kms:RecipientAttestation:NitroTPMPCR4': pcr(4) } };
    const policy = {
      Version: '2012-10-17',
      Statement: { Effect: 'Allow', Principal: '*', Action: 'kms:*', Resource: '*', Condition },
    };
    await using other = await start({ keys: [{ alias: 'alias/tpm', policy }] });
    const sender = clientOf(other);
    const generate = async (request: Parameters<typeof recipientOf>[1]) =>
      sender.send(
        new GenerateDataKeyCommand({
          KeyId: 'alias/tpm',
          KeySpec: 'AES_256',
          Recipient: await recipientOf(pki, request),
        }),
      );
    const tpm = { kind: 'nitrotpm' as const, moduleId: MODULE_ID.replace('-enc', '-tpm') };
    expect(openForEnclave((await generate({ ...tpm, pcrs: { 4: pcr(4) } })).CiphertextForRecipient)).toHaveLength(32);
    expect(await failureOf(generate({ ...tpm, pcrs: { 4: pcr(5) } }))).toMatchObject({ name: 'AccessDeniedException' });
    expect(await failureOf(generate({ pcrs: { ...PCRS, 4: pcr(4) } }))).toMatchObject({
      name: 'AccessDeniedException',
    });
    sender.destroy();
  });
});

describe('a document that is not what the policy asks for', () => {
  it.each([
    ['none', undefined],
    ['of another image', { ...PCRS, 0: pcr(1) }],
    ['of the image under another role', { ...PCRS, 3: pcr(1) }],
    ['in debug mode', { ...PCRS, 0: ZERO, 1: ZERO, 2: ZERO }],
    ['in debug mode, its PCR8 zero too', { ...PCRS, 0: ZERO, 1: ZERO, 2: ZERO, 8: ZERO }],
    ['without PCR3', { 0: PCRS[0] ?? '', 1: PCRS[1] ?? '', 2: PCRS[2] ?? '' }],
  ])('is denied: %s', async (_, pcrs) => {
    const document = pcrs && (await documentOf(pki, { pcrs }));
    expect(await failureOf(decryptFor(document))).toMatchObject(DENIED);
  });

  it('of a debug enclave is taken only where the policy names its zeros', async () => {
    const Condition = { StringEquals: { 'kms:RecipientAttestation:ImageSha384': ZERO } };
    const policy = {
      Version: '2012-10-17',
      Statement: { Effect: 'Allow', Principal: '*', Action: 'kms:*', Resource: '*', Condition },
    };
    await using other = await start({ keys: [{ alias: 'alias/debug', policy }] });
    const sender = clientOf(other);
    const generate = async (pcrs: Record<number, string>) =>
      sender.send(
        new GenerateDataKeyCommand({
          KeyId: 'alias/debug',
          KeySpec: 'AES_256',
          Recipient: await recipientOf(pki, { pcrs }),
        }),
      );
    expect(
      openForEnclave((await generate({ ...PCRS, 0: ZERO, 1: ZERO, 2: ZERO })).CiphertextForRecipient),
    ).toHaveLength(32);
    expect(await failureOf(generate(PCRS))).toMatchObject({ name: 'AccessDeniedException' });
    sender.destroy();
  });

  it('does not help somebody else', async () => {
    kms.addCredentials({
      accessKeyId: 'AKIASTRANGERSTRANGER',
      secretAccessKey: 's',
      principalArn: 'arn:aws:iam::111122223333:role/parent',
    });
    const stranger = clientOf(kms, { credentials: { accessKeyId: 'AKIASTRANGERSTRANGER', secretAccessKey: 's' } });
    expect(await failureOf(decryptFor(await documentOf(pki), stranger))).toMatchObject(DENIED);
    stranger.destroy();
  });
});

/** QEMU's NSM: zeros in place of a signature and certificates, under an algorithm that is none. */
function unsignedDocument(publicKey: Uint8Array | null = PUBLIC_KEY): Uint8Array {
  const encoder = new Encoder({ mapsAsObjects: false, useRecords: false, tagUint8Array: false, variableMapSize: true });
  const zeros = new Uint8Array(64);
  const values = Object.entries(PCRS).map(([index, value]): [number, Uint8Array] => [
    Number(index),
    Buffer.from(value, 'hex'),
  ]);
  const payload = new Map<string, unknown>([
    ['module_id', 'i-234-enc5678'],
    ['digest', 'SHA384'],
    ['timestamp', BigInt(Date.now())],
    ['pcrs', new Map(values)],
    ['certificate', zeros],
    ['cabundle', [zeros]],
    ['public_key', publicKey],
    ['user_data', null],
    ['nonce', null],
  ]);
  const header = Uint8Array.of(0xa1, 0x01, 0x20);
  return new Uint8Array(encoder.encode([header, new Map(), new Uint8Array(encoder.encode(payload)), zeros]));
}

async function foreignDocument(): Promise<Uint8Array> {
  return documentOf(await createNitroPki());
}

/** Codes of what a verifier's policy asks for, and KMS does not: it is the key policy that chooses. */
const NOT_ASKED: ReadonlySet<string> = new Set([
  ...[
    'KIND_MISMATCH',
    'DEBUG_MODE',
    'IMAGE_MISMATCH',
    'PCR_MISSING',
    'PCR_MISMATCH',
    'PCRS_NOT_ALL_LOCKED',
    'INSTANCE_MISMATCH',
  ],
  ...[
    'ROLE_MISMATCH',
    'REGION_MISMATCH',
    'NONCE_MISSING',
    'NONCE_MISMATCH',
    'PUBLIC_KEY_MISMATCH',
    'USER_DATA_MISMATCH',
  ],
  ...['BINDING_MISMATCH', 'KMS_RECIPIENT_DOCUMENT', 'UNKNOWN_FIELD'],
]);
const DENIED_BY_POLICY: ReadonlySet<FlawName> = new Set<FlawName>([
  'debug-mode',
  'other-image',
  'other-role',
  'nitrotpm-instead-of-enclave',
]);
const FLAW_NAMES = Object.keys(FLAWS) as FlawName[];
const CONCERNED = FLAW_NAMES.filter((name) => DENIED_BY_POLICY.has(name) || !NOT_ASKED.has(FLAWS[name].code));

describe('a document that is not genuine, or not of now', () => {
  it.each([
    ['of another root', foreignDocument, 'TRUST_ANCHOR'],
    ['without a signature', async () => unsignedDocument(), 'PROTECTED_HEADER'],
    ['older than five minutes', () => documentOf(pki, { timestamp: Date.now() - 5 * MINUTE - 2000 }), 'TOO_OLD'],
    ['of the day before', () => documentOf(pki, { timestamp: Date.now() - 1440 * MINUTE }), 'PATH_EXPIRED'],
    ['of the future', () => documentOf(pki, { timestamp: Date.now() + 30 * MINUTE }), ''],
    [
      'with a bit of its signature changed',
      async () => (await documentOf(pki)).map((byte, index, all) => (index === all.length - 1 ? byte ^ 1 : byte)),
      'SIGNATURE',
    ],
    ['with something behind it', async () => Buffer.concat([await documentOf(pki), Buffer.from([0])]), ''],
    ['that is none', async () => Buffer.from('not a document'), ''],
    ['without a key', () => documentOf(pki, { publicKey: null }), 'public_key'],
    ['with a key that is none', () => documentOf(pki, { publicKey: Buffer.from('dummy') }), 'public_key'],
    [
      'with an elliptic key',
      () =>
        documentOf(pki, {
          publicKey: generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({
            type: 'spki',
            format: 'der',
          }),
        }),
      'RSA',
    ],
    [
      'with a key that is too short',
      () =>
        documentOf(pki, {
          publicKey: generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({
            type: 'spki',
            format: 'der',
          }),
        }),
      'RSA',
    ],
  ])('is refused: %s', async (_, make, reason) => {
    const failure = await failureOf(decryptFor(await make()));
    expect(failure).toMatchObject({ name: 'ValidationException', status: 400 });
    expect(failure.message).toContain('The attestation document in Recipient is not valid: ');
    expect(failure.message).toContain(reason);
  });

  it.each(CONCERNED)('is refused with the flaw %s', async (flaw) => {
    const [userData, nonce] = [Buffer.from('data'), Buffer.alloc(32, 1)];
    const request = { moduleId: MODULE_ID, pcrs: PCRS, publicKey: PUBLIC_KEY, userData, nonce };
    const { name } = await failureOf(decryptFor(await issueFlawedDocument(pki, request, flaw)));
    // Genuine documents of the wrong image are refused by the key policy, all others before it is asked.
    expect(name).toBe(DENIED_BY_POLICY.has(flaw) ? 'AccessDeniedException' : 'ValidationException');
  });

  it('is refused for every operation, before anything is decided', async () => {
    const AttestationDocument = await foreignDocument();
    const Recipient = { KeyEncryptionAlgorithm: 'RSAES_OAEP_SHA_256' as const, AttestationDocument };
    const calls = [
      client.send(new GenerateRandomCommand({ NumberOfBytes: 8, Recipient })),
      client.send(new GenerateDataKeyCommand({ KeyId: 'alias/absent', KeySpec: 'AES_256', Recipient })),
      client.send(new GenerateDataKeyPairCommand({ KeyId: 'alias/absent', KeyPairSpec: 'ECC_NIST_P256', Recipient })),
      client.send(
        new DeriveSharedSecretCommand({
          KeyId: 'alias/absent',
          KeyAgreementAlgorithm: 'ECDH',
          PublicKey: Buffer.alloc(8),
          Recipient,
        }),
      ),
    ];
    const failures = await Promise.all(calls.map(failureOf));
    expect(failures.map(({ name }) => name)).toEqual(calls.map(() => 'ValidationException'));
  });

  it('needs both members of Recipient', async () => {
    const call = client.send(
      new GenerateRandomCommand({ NumberOfBytes: 8, Recipient: { AttestationDocument: await documentOf(pki) } }),
    );
    expect(await failureOf(call)).toMatchObject({ name: 'ValidationException' });
  });

  it('is judged by the clock that the KMS was given', async () => {
    const past = Date.UTC(2026, 0, 1);
    await using other = await start({ attestation: { roots: [pki.rootCertificate], clock: () => past } });
    const sender = clientOf(other);
    const generate = async (timestamp: number) =>
      sender.send(
        new GenerateDataKeyCommand({
          KeyId: 'alias/image',
          KeySpec: 'AES_256',
          Recipient: await recipientOf(pki, { timestamp }),
        }),
      );
    expect(openForEnclave((await generate(past - MINUTE)).CiphertextForRecipient)).toHaveLength(32);
    expect(await failureOf(generate(Date.now()))).toMatchObject({ name: 'ValidationException' });
    sender.destroy();
  });

  it('may be of one of several roots', async () => {
    const second = await createNitroPki();
    await using other = await start({ attestation: { roots: [pki.rootCertificate, second.rootCertificate] } });
    const sender = clientOf(other);
    for (const issuer of [pki, second]) {
      const Recipient = await recipientOf(issuer);
      const answer = await sender.send(
        new GenerateDataKeyCommand({ KeyId: 'alias/image', KeySpec: 'AES_256', Recipient }),
      );
      expect(openForEnclave(answer.CiphertextForRecipient)).toHaveLength(32);
    }
    sender.destroy();
  });
});

describe('a KMS that takes unsigned documents', () => {
  it('says so in every line of its log, and still asks the policy', async () => {
    const lines: string[] = [];
    await using other = await start({
      attestation: { [unsignedDocumentsAllowed]: true },
      audit: (line) => lines.push(line),
    });
    const sender = clientOf(other);
    const generate = (AttestationDocument: Uint8Array) =>
      sender.send(
        new GenerateDataKeyCommand({
          KeyId: 'alias/image',
          KeySpec: 'AES_256',
          Recipient: { KeyEncryptionAlgorithm: 'RSAES_OAEP_SHA_256', AttestationDocument },
        }),
      );
    expect(openForEnclave((await generate(unsignedDocument())).CiphertextForRecipient)).toHaveLength(32);
    expect(await failureOf(generate(await documentOf(pki, { pcrs: { ...PCRS, 0: pcr(1) } })))).toMatchObject({
      name: 'AccessDeniedException',
    });
    expect(await failureOf(generate(unsignedDocument(null)))).toMatchObject({ name: 'ValidationException' });
    expect(await failureOf(generate(Buffer.from('none')))).toMatchObject({ name: 'ValidationException' });
    await sender.send(new DescribeKeyCommand({ KeyId: 'alias/image' }));
    expect(lines).toHaveLength(5);
    for (const line of lines) expect(line).toContain('UNSIGNED ATTESTATION DOCUMENTS ARE ACCEPTED');
    sender.destroy();
  });

  it('is the only one: the others never say so', async () => {
    const lines: string[] = [];
    await using other = await start({ audit: (line) => lines.push(line) });
    const sender = clientOf(other);
    await sender.send(new DescribeKeyCommand({ KeyId: 'alias/image' }));
    expect(lines.join()).not.toContain('UNSIGNED');
    sender.destroy();
  });
});

describe('CiphertextForRecipient', () => {
  const generate = async (sender: KMSClient, NumberOfBytes: number) => {
    const Recipient = await recipientOf(pki);
    const { CiphertextForRecipient } = await sender.send(
      new GenerateDataKeyCommand({ KeyId: 'alias/image', NumberOfBytes, Recipient }),
    );
    return Buffer.from(CiphertextForRecipient ?? []);
  };
  /** The bytes that KMS itself sends before the key identifier, and between it and the encrypted key. */
  const HEAD = '308006092a864886f70d010703a080308002010231 82016b30820167020102 8020'.replaceAll(' ', '');
  const ALGORITHM =
    '303c06092a864886f70d010107302fa00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d06096086480165030402010500 04820100'.replaceAll(
      ' ',
      '',
    );
  const CONTENT = '308006092a864886f70d010701301d060960864801650304012a0410';

  function expectFrame(envelope: Buffer): Buffer {
    const hex = envelope.toString('hex');
    expect(hex.slice(0, HEAD.length)).toBe(HEAD);
    expect(hex.slice(HEAD.length + 64, HEAD.length + 64 + ALGORITHM.length)).toBe(ALGORITHM);
    const content = HEAD.length + 64 + ALGORITHM.length + 512;
    expect(hex.slice(content, content + CONTENT.length)).toBe(CONTENT);
    return envelope.subarray((content + CONTENT.length) / 2 + 16);
  }

  it('has the content in a constructed [0] with one OCTET STRING, as KMS sends it', async () => {
    const content = expectFrame(await generate(client, 32));
    expect(content.subarray(0, 4).toString('hex')).toBe('a0800430');
    expect(content.subarray(4 + 48).toString('hex')).toBe('0000000000000000 0000'.replace(' ', ''));
  });

  it('or in several OCTET STRINGs', async () => {
    await using other = await start({ envelope: { content: 'constructed', chunkBytes: 16 } });
    const sender = clientOf(other);
    const envelope = await generate(sender, 40);
    const content = expectFrame(envelope);
    expect([0, 1, 2].map((index) => content.subarray(2 + index * 18, 4 + index * 18).toString('hex'))).toEqual([
      '0410',
      '0410',
      '0410',
    ]);
    expect(openForEnclave(envelope)).toHaveLength(40);
    sender.destroy();
  });

  it('or in a primitive [0]', async () => {
    await using other = await start({ envelope: { content: 'primitive' } });
    const sender = clientOf(other);
    const content = expectFrame(await generate(sender, 32));
    expect(content.subarray(0, 2).toString('hex')).toBe('8030');
    expect(content.subarray(2 + 48).toString('hex')).toBe('0000000000000000');
    sender.destroy();
  });
});
