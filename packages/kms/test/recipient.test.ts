import { createECDH, createHash, createPrivateKey, createPublicKey, randomBytes } from 'node:crypto';
import type { DataKeyPairSpec } from '@aws-sdk/client-kms';
import { DecryptCommand, GenerateDataKeyCommand } from '@aws-sdk/client-kms';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Attest } from '../src/index.ts';
import { allowAnyKey, KmsRecipientError, kmsRequestHandler, recipient } from '../src/index.ts';
import { ALIAS, Emulation, KEY_ARN, KEY_ID, keyPolicyFor, OTHER_KEY_ARN } from './support/emulation.ts';

let emulation: Emulation;
const secret = Buffer.from('the plaintext of a customer');

beforeAll(async () => {
  emulation = await Emulation.start();
});
afterEach(() => {
  emulation.faults.set({});
  emulation.audit.length = 0;
});
afterAll(() => emulation[Symbol.asyncDispose]());

describe('the five operations, through the unmodified SDK client with the plugin', () => {
  it('Decrypt', async () => {
    const CiphertextBlob = await emulation.ciphertextOf(secret);
    const answer = await emulation.client().decrypt({ KeyId: KEY_ARN, CiphertextBlob });
    expect(Buffer.from(answer.Plaintext ?? [])).toEqual(secret);
    expect(answer).toMatchObject({
      KeyId: KEY_ARN,
      CiphertextForRecipient: undefined,
      $metadata: { httpStatusCode: 200 },
    });
  });

  it.each([
    [{ KeySpec: 'AES_256' } as const, 32],
    [{ KeySpec: 'AES_128' } as const, 16],
    [{ NumberOfBytes: 1 }, 1],
    [{ NumberOfBytes: 1024 }, 1024],
  ])('GenerateDataKey with %j', async (size, bytes) => {
    const client = emulation.client();
    const { Plaintext, CiphertextBlob } = await client.generateDataKey({ KeyId: KEY_ARN, ...size });
    expect(Plaintext).toHaveLength(bytes);
    const again = await client.decrypt({ KeyId: KEY_ARN, CiphertextBlob });
    expect(again.Plaintext).toEqual(Plaintext);
  });

  it.each<DataKeyPairSpec>(['RSA_2048', 'ECC_NIST_P256', 'ECC_NIST_P384', 'ECC_NIST_P521', 'ECC_SECG_P256K1'])(
    'GenerateDataKeyPair of %s',
    async (KeyPairSpec) => {
      const { PrivateKeyPlaintext = [], PublicKey = [] } = await emulation
        .client()
        .generateDataKeyPair({ KeyId: KEY_ARN, KeyPairSpec });
      const key = createPrivateKey({ key: Buffer.from(PrivateKeyPlaintext), format: 'der', type: 'pkcs8' });
      expect(createPublicKey(key).export({ format: 'der', type: 'spki' })).toEqual(Buffer.from(PublicKey));
    },
  );

  it.each([1, 32, 1024])('GenerateRandom of %d bytes', async (NumberOfBytes) => {
    const { Plaintext } = await emulation.client().generateRandom({ NumberOfBytes });
    expect(Plaintext).toHaveLength(NumberOfBytes);
  });

  it.each([
    ['ECC_NIST_P256', 'prime256v1', 32],
    ['ECC_NIST_P384', 'secp384r1', 48],
    ['ECC_NIST_P521', 'secp521r1', 66],
  ] as const)('DeriveSharedSecret with %s', async (KeySpec, curve, bytes) => {
    const admin = emulation.plainClient();
    const { KeyMetadata } = await admin.createKey({ KeySpec, KeyUsage: 'KEY_AGREEMENT' });
    const KeyId = KeyMetadata?.Arn ?? '';
    const { PublicKey: ours = [] } = await admin.getPublicKey({ KeyId });
    const peer = createECDH(curve);
    peer.generateKeys();
    const spki = (point: Buffer) => Buffer.concat([Buffer.from(ours).subarray(0, ours.length - point.length), point]);
    const answer = await emulation
      .client()
      .deriveSharedSecret({ KeyId, KeyAgreementAlgorithm: 'ECDH', PublicKey: spki(peer.getPublicKey()) });
    const point = Buffer.from(ours).subarray(-peer.getPublicKey().length);
    expect(answer.SharedSecret).toHaveLength(bytes);
    expect(Buffer.from(answer.SharedSecret ?? [])).toEqual(peer.computeSecret(point));
  });

  it('carry a document of their own each, with the plugin key in it', async () => {
    const documents: Uint8Array[] = [];
    const nsm = emulation.nsm();
    const client = emulation.plainClient();
    client.middlewareStack.use(
      recipient({
        attest: async (request) => {
          const document = await nsm.attestation(request);
          documents.push(document);
          return document;
        },
      }),
    );
    await client.generateRandom({ NumberOfBytes: 8 });
    await client.generateRandom({ NumberOfBytes: 8 });
    expect(new Set(documents.map((document) => createHash('sha256').update(document).digest('hex'))).size).toBe(2);
  });

  it('share a document for as long as they are told to, and are answered by it', async () => {
    const nsm = emulation.nsm();
    let documents = 0;
    const attest: Attest = (request) => {
      documents += 1;
      return nsm.attestation(request);
    };
    const client = emulation.client({ attest, reuseDocumentFor: 60_000 });
    const calls = Array.from({ length: 4 }, () => client.generateRandom({ NumberOfBytes: 8 }));
    for (const { Plaintext } of await Promise.all(calls)) expect(Plaintext).toHaveLength(8);
    expect((await client.generateRandom({ NumberOfBytes: 9 })).Plaintext).toHaveLength(9);
    expect(documents).toBe(1);
  });

  it('are recorded by KMS with the measurements of the enclave', async () => {
    await emulation.client().generateDataKey({ KeyId: KEY_ARN, KeySpec: 'AES_256' });
    expect(JSON.stringify(emulation.audit.at(-1))).toContain('attestationDocumentEnclaveImageDigest');
  });

  it('work alike by send() with commands, with an alias, and with a bare key id', async () => {
    const client = emulation.client();
    for (const KeyId of [KEY_ARN, KEY_ID, ALIAS, KEY_ARN.replace(`key/${KEY_ID}`, ALIAS)]) {
      const { Plaintext, CiphertextBlob } = await client.send(
        new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256' }),
      );
      const opened = await client.send(new DecryptCommand({ KeyId, CiphertextBlob }));
      expect(opened.Plaintext).toEqual(Plaintext);
    }
  });

  it('work many at a time', async () => {
    // All of them wait for one thread, which signs their documents too.
    const patience = { connectTimeout: 60_000, requestTimeout: 60_000 };
    const transport = emulation.enclaveTransport();
    const requestHandler = kmsRequestHandler({ transport, ca: emulation.kms.ca, ...patience });
    const client = emulation.client({ config: { requestHandler } });
    const answers = await Promise.all(Array.from({ length: 64 }, () => client.generateRandom({ NumberOfBytes: 32 })));
    expect(new Set(answers.map(({ Plaintext }) => Buffer.from(Plaintext ?? []).toString('hex'))).size).toBe(64);
  });

  it('leave all other operations alone', async () => {
    const client = emulation.client();
    const { CiphertextBlob } = await client.encrypt({ KeyId: KEY_ARN, Plaintext: secret });
    expect(CiphertextBlob?.length).toBeGreaterThan(secret.length);
    await expect(client.describeKey({ KeyId: KEY_ARN })).resolves.toMatchObject({ KeyMetadata: { Arn: KEY_ARN } });
    const withoutPlaintext = await client.generateDataKeyWithoutPlaintext({ KeyId: KEY_ARN, KeySpec: 'AES_256' });
    expect(withoutPlaintext.CiphertextBlob).toBeDefined();
  });
});

describe('on an instance with NitroTPM', () => {
  it('the same calls are answered under a policy of its PCRs', async () => {
    const pcr12 = 'cc'.repeat(48);
    const policy = JSON.stringify(keyPolicyFor('unused')).replaceAll('ImageSha384', 'NitroTPMPCR12');
    const { KeyMetadata } = await emulation.plainClient().createKey({ Policy: policy.replaceAll('unused', pcr12) });
    const KeyId = KeyMetadata?.Arn ?? '';
    const client = emulation.client({ attest: emulation.nitroTpm({ 4: '44'.repeat(48), 12: pcr12 }) });
    const { Plaintext, CiphertextBlob } = await client.generateDataKey({ KeyId, KeySpec: 'AES_256' });
    expect((await client.decrypt({ KeyId, CiphertextBlob })).Plaintext).toEqual(Plaintext);
    const other = emulation.client({ attest: emulation.nitroTpm({ 4: '44'.repeat(48) }) });
    await expect(other.decrypt({ KeyId, CiphertextBlob })).rejects.toMatchObject({ name: 'AccessDeniedException' });
  });
});

describe('the time of requests', () => {
  /** A client whose requests would be signed an hour late, as on a machine whose clock is wrong. */
  const strayClient = (isCorrected: boolean) => {
    const nsm = emulation.nsm();
    const client = emulation.plainClient();
    client.config.systemClockOffset = 3_600_000;
    const clock = isCorrected ? { correctClockOf: client } : {};
    client.middlewareStack.use(recipient({ attest: (request) => nsm.attestation(request), ...clock }));
    return client;
  };

  it("is the NSM's", async () => {
    expect((await strayClient(true).generateRandom({ NumberOfBytes: 8 })).Plaintext).toHaveLength(8);
  });

  it('is the local one unless told otherwise, and the error of a wrong one says what to look at', async () => {
    const call = strayClient(false).generateRandom({ NumberOfBytes: 8 });
    await expect(call).rejects.toMatchObject({ name: 'InvalidSignatureException' });
    await expect(call).rejects.toThrow('check the local clock');
  });
});

describe('which key answers', () => {
  it('Decrypt without a KeyId is refused before anything is sent', async () => {
    const CiphertextBlob = await emulation.ciphertextOf(secret);
    emulation.audit.length = 0;
    await expect(emulation.client().decrypt({ CiphertextBlob })).rejects.toMatchObject({ code: 'KEY_NOT_PINNED' });
    expect(emulation.audit).toEqual([]);
  });

  it('Decrypt with null for a KeyId, which the SDK leaves out, is refused alike', async () => {
    const CiphertextBlob = await emulation.ciphertextOf(secret);
    const KeyId = null as unknown as string;
    await expect(emulation.client().decrypt({ KeyId, CiphertextBlob })).rejects.toMatchObject({
      code: 'KEY_NOT_PINNED',
    });
    const { Plaintext } = await emulation.client({ keys: [KEY_ARN] }).decrypt({ KeyId, CiphertextBlob });
    expect(Buffer.from(Plaintext ?? [])).toEqual(secret);
  });

  it('Decrypt without a KeyId works where the keys are pinned for all calls', async () => {
    const CiphertextBlob = await emulation.ciphertextOf(secret);
    const { Plaintext } = await emulation.client({ keys: [KEY_ARN] }).decrypt({ CiphertextBlob });
    expect(Buffer.from(Plaintext ?? [])).toEqual(secret);
  });

  it('a ciphertext of another key, swapped in, is refused where the keys are pinned', async () => {
    const swapped = await emulation.ciphertextOf(Buffer.from('of the attacker'), OTHER_KEY_ARN);
    const decrypting = emulation.client({ keys: [KEY_ARN] }).decrypt({ CiphertextBlob: swapped });
    await expect(decrypting).rejects.toMatchObject({ code: 'ANSWER_KEY_MISMATCH' });
  });

  it('a ciphertext of another key opens only by the greppable opt-in', async () => {
    const swapped = await emulation.ciphertextOf(secret, OTHER_KEY_ARN);
    const { KeyId } = await emulation.client({ [allowAnyKey]: true }).decrypt({ CiphertextBlob: swapped });
    expect(KeyId).toBe(OTHER_KEY_ARN);
  });

  it('KMS itself refuses a ciphertext of another key than the KeyId, and the error says what that means', async () => {
    const swapped = await emulation.ciphertextOf(secret, OTHER_KEY_ARN);
    const decrypting = emulation.client().decrypt({ KeyId: KEY_ARN, CiphertextBlob: swapped });
    await expect(decrypting).rejects.toMatchObject({ name: 'IncorrectKeyException' });
    await expect(decrypting).rejects.toThrow('it was swapped, or the key ARN is wrong');
  });

  it('an alias of another key than the pinned one is refused', async () => {
    const client = emulation.client({ keys: [OTHER_KEY_ARN] });
    await expect(client.generateDataKey({ KeyId: ALIAS, KeySpec: 'AES_256' })).rejects.toMatchObject({
      code: 'ANSWER_KEY_MISMATCH',
    });
  });
});

describe('calls that are not made', () => {
  it('with a Recipient of the caller', async () => {
    const Recipient = { AttestationDocument: randomBytes(10), KeyEncryptionAlgorithm: 'RSAES_OAEP_SHA_256' as const };
    const call = emulation.client().generateRandom({ NumberOfBytes: 8, Recipient });
    await expect(call).rejects.toMatchObject({ code: 'RECIPIENT_ALREADY_SET' });
  });

  it('without a document: ATTESTATION_FAILED, with the cause', async () => {
    const client = emulation.client({ attest: () => Promise.reject(new Error('no NSM here')) });
    await expect(client.generateRandom({ NumberOfBytes: 8 })).rejects.toMatchObject({
      code: 'ATTESTATION_FAILED',
      cause: { message: 'no NSM here' },
    });
  });

  it('by an NSM that does not answer: ATTESTATION_FAILED at the deadline', async () => {
    const client = emulation.client({ attest: () => new Promise(() => undefined), attestTimeout: 50 });
    await expect(client.generateRandom({ NumberOfBytes: 8 })).rejects.toMatchObject({ code: 'ATTESTATION_FAILED' });
  });

  it('aborted while the NSM does not answer: the NSM is told, and nothing is sent', async () => {
    const told: unknown[] = [];
    const reason = new Error('no longer wanted');
    const abort = new AbortController();
    const attest: Attest = ({ signal }) => {
      signal.addEventListener('abort', () => told.push(signal.reason));
      setImmediate(() => abort.abort(reason));
      return new Promise(() => undefined);
    };
    const client = emulation.client({ attest, attestTimeout: 60_000 });
    const call = client.generateRandom({ NumberOfBytes: 8 }, { abortSignal: abort.signal });
    await expect(call).rejects.toMatchObject({ name: 'AbortError', cause: reason });
    expect(told).toEqual([reason]);
    expect(emulation.audit).toEqual([]);
  });

  it('aborted, leave a shared document to the others that wait for it', async () => {
    const nsm = emulation.nsm();
    const attest: Attest = async (request) => {
      await new Promise((resolve) => setTimeout(resolve, 300));
      request.signal.throwIfAborted();
      return nsm.attestation(request);
    };
    const client = emulation.client({ attest, reuseDocumentFor: 60_000 });
    const abort = new AbortController();
    const first = client.generateRandom({ NumberOfBytes: 8 }, { abortSignal: abort.signal });
    const second = client.generateRandom({ NumberOfBytes: 8 });
    setTimeout(() => abort.abort(), 50);
    await expect(first).rejects.toMatchObject({ name: 'AbortError' });
    expect((await second).Plaintext).toHaveLength(8);
  });

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['text', 'a document'],
    ['no bytes', new Uint8Array()],
    ['more bytes than KMS takes', new Uint8Array(262_145)],
  ])('with %s for a document: ATTESTATION_FAILED, and nothing is sent', async (_, document) => {
    const client = emulation.client({ attest: async () => document as Uint8Array });
    const call = client.generateRandom({ NumberOfBytes: 8 });
    await expect(call).rejects.toMatchObject({
      code: 'ATTESTATION_FAILED',
      cause: { message: expect.stringContaining('expected a Uint8Array of 1 to 262144 bytes') },
    });
    expect(emulation.audit).toEqual([]);
  });

  it('without an attest function at all', () => {
    expect(() => recipient({} as never)).toThrow(TypeError);
  });
});

describe('errors of KMS keep their class and say what to do', () => {
  it('AccessDenied names the PCRs of this enclave, and what to compare', async () => {
    const call = emulation.client({ isOtherImage: true }).generateDataKey({ KeyId: KEY_ARN, KeySpec: 'AES_256' });
    await expect(call).rejects.toMatchObject({ name: 'AccessDeniedException' });
    await expect(call).rejects.toThrow(`PCR0=${'b0'.repeat(48)}`);
    await expect(call).rejects.toThrow('kms:RecipientAttestation:ImageSha384');
  });

  it('AccessDenied in debug mode says so', async () => {
    const call = emulation.client({ debugMode: true }).generateDataKey({ KeyId: KEY_ARN, KeySpec: 'AES_256' });
    await expect(call).rejects.toThrow('this enclave runs in debug mode (PCR0, PCR1 and PCR2 are zero)');
  });

  it('AccessDenied names PCRs that the enclave extended itself, too', async () => {
    const nsm = emulation.nsm({ isOtherImage: true });
    const value = await nsm.extendPcr(16, Buffer.from('configuration'));
    await nsm.lockPcr(16);
    const client = emulation.client({ attest: (request) => nsm.attestation(request) });
    await expect(client.generateDataKey({ KeyId: KEY_ARN, KeySpec: 'AES_256' })).rejects.toThrow(
      `PCR16=${Buffer.from(value).toString('hex')}`,
    );
  });

  it('AccessDenied on an instance with NitroTPM names its PCRs, and the condition keys that it has', async () => {
    const attest = emulation.nitroTpm({ 4: '44'.repeat(48), 12: 'cc'.repeat(48) });
    const call = emulation.client({ attest }).generateDataKey({ KeyId: KEY_ARN, KeySpec: 'AES_256' });
    await expect(call).rejects.toThrow(
      `this instance has PCR4=${'44'.repeat(48)} PCR12=${'cc'.repeat(48)}: compare with kms:RecipientAttestation:NitroTPMPCR<n>`,
    );
  });

  it('a document that KMS cannot take: ValidationException with the likely reason', async () => {
    const client = emulation.client({ attest: async () => randomBytes(64) });
    const call = client.generateDataKey({ KeyId: KEY_ARN, KeySpec: 'AES_256' });
    await expect(call).rejects.toMatchObject({ name: 'ValidationException' });
    await expect(call).rejects.toThrow('a damaged or unsigned attestation document');
  });

  it('never hold a document or a secret', async () => {
    const call = emulation
      .client({ isOtherImage: true })
      .decrypt({ KeyId: KEY_ARN, CiphertextBlob: await emulation.ciphertextOf(secret) });
    const error: Error = await call.then(
      () => new Error('nothing thrown'),
      (reason) => reason,
    );
    expect(error.message.length).toBeLessThan(1500);
    expect(JSON.stringify([error.message, error.cause])).not.toContain(emulation.kms.credentials.secretAccessKey);
  });

  it.each([
    ['expired-credentials', 'ExpiredTokenException', 'the credentials have expired'],
    ['throttle', 'ThrottlingException', 'KMS throttles'],
  ] as const)('%s', async (kind, name, advice) => {
    emulation.kmsFaults({ kind });
    const call = emulation.client().generateRandom({ NumberOfBytes: 8 });
    await expect(call).rejects.toMatchObject({ name });
    await expect(call).rejects.toThrow(advice);
  });

  it('wrong credentials', async () => {
    const config = { credentials: { accessKeyId: 'AKIAUNKNOWN', secretAccessKey: 'x'.repeat(40) } };
    const call = emulation.client({ config }).generateRandom({ NumberOfBytes: 8 });
    await expect(call).rejects.toMatchObject({ name: 'UnrecognizedClientException' });
    await expect(call).rejects.toThrow('KMS does not know these credentials');
  });

  it('a key that is not there', async () => {
    const KeyId = KEY_ARN.replace(KEY_ID, '00000000-0000-4000-8000-000000000000');
    const call = emulation.client().generateDataKey({ KeyId, KeySpec: 'AES_256' });
    await expect(call).rejects.toMatchObject({ name: 'NotFoundException' });
    await expect(call).rejects.toThrow('there is no such key');
  });

  it('stay errors of ours when they are ours', async () => {
    emulation.kmsFaults({ kind: 'no-ciphertext-for-recipient' });
    await expect(emulation.client().generateRandom({ NumberOfBytes: 8 })).rejects.toBeInstanceOf(KmsRecipientError);
  });
});
