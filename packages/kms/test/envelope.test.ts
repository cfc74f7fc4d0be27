import { constants, createCipheriv, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { decodeEnvelope } from '../src/envelope/decode.ts';
import { openEnvelope } from '../src/envelope/open.ts';
import type { RecipientKey } from '../src/recipient/recipient-key.ts';
import { generateRecipientKey } from '../src/recipient/recipient-key.ts';
import type { ContentShape, EnvelopeParts } from './support/envelope-writer.ts';
import { integer, OID, oaep, seal, sealParts, tlv, writeEnvelope } from './support/envelope-writer.ts';

let key: RecipientKey;
let other: RecipientKey;
beforeAll(async () => {
  [key, other] = await Promise.all([generateRecipientKey(), generateRecipientKey()]);
});

const secret = Buffer.from('thirty-two bytes of secret, sure');

/** The one face of every failure. */
async function expectRefused(envelope: Uint8Array): Promise<void> {
  const error: unknown = await openEnvelope(envelope, key).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ name: 'KmsRecipientError', code: 'ENVELOPE_REFUSED' });
  expect((error as Error).message).toBe(REFUSAL);
  expect((error as Error).cause).toBeUndefined();
}

const REFUSAL =
  'expected CiphertextForRecipient to be an envelope of KMS for the key of this call, found one that does not open: check that TLS to KMS ends inside the enclave';

describe('an envelope of KMS', () => {
  const shapes: [string, ContentShape][] = [
    ['content in one OCTET STRING', { chunks: [] }],
    ['content in chunks of odd sizes', { chunks: [1, 7, 16, 3] }],
    ['content in a chunk a byte', { chunks: Array.from({ length: 48 }, () => 1) }],
    ['content with empty chunks in between', { chunks: [0, 5, 0, 0, 20] }],
    ['primitive content', 'primitive'],
  ];
  it.each(shapes)('opens with %s', async (_, shape) => {
    expect(Buffer.from(await openEnvelope(seal(key.publicKey, secret, { shape }), key))).toEqual(secret);
  });

  it.each([1, 15, 16, 17, 28, 4096])('opens with a secret of %d bytes', async (size) => {
    const plaintext = randomBytes(size);
    expect(Buffer.from(await openEnvelope(seal(key.publicKey, plaintext), key))).toEqual(plaintext);
  });

  it('opens with an explicit empty label, and with hashes without NULL parameters', async () => {
    const bare = (hash: Buffer) => tlv(0x30, hash);
    const keyEncryption = tlv(
      0x30,
      OID.oaep,
      tlv(0x30, tlv(0xa0, bare(OID.sha256)), tlv(0xa1, tlv(0x30, OID.mgf1, bare(OID.sha256)))),
    );
    for (const replaced of [{ keyEncryption }, { keyEncryption: oaep({ label: Buffer.alloc(0) }) }])
      expect(Buffer.from(await openEnvelope(seal(key.publicKey, secret, replaced), key))).toEqual(secret);
  });

  it('opens whatever the secret and however its content is cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 1, maxLength: 200 }),
        fc.array(fc.nat(40), { maxLength: 12 }),
        async (plaintext, chunks) => {
          const opened = await openEnvelope(seal(key.publicKey, plaintext, { shape: { chunks } }), key);
          expect(Buffer.from(opened)).toEqual(Buffer.from(plaintext));
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('an envelope of any other form is refused', () => {
  const otherIv = () => tlv(4, randomBytes(16));
  const forms: [string, () => Partial<EnvelopeParts>][] = [
    ['SignedData', () => ({ contentType: OID.signedData })],
    ['EnvelopedData of version 0', () => ({ version: integer(0) })],
    ['EnvelopedData of version 3', () => ({ version: integer(3) })],
    ['a recipient of version 0', () => ({ recipientVersion: integer(0) })],
    [
      'a key identifier of 31 bytes',
      () => ({ subjectKeyIdentifier: Buffer.from(key.subjectKeyIdentifier).subarray(1) }),
    ],
    ['a key identifier of 20 bytes, a SHA-1', () => ({ subjectKeyIdentifier: randomBytes(20) })],
    ['the key identifier of another key', () => ({ subjectKeyIdentifier: Buffer.from(other.subjectKeyIdentifier) })],
    ['PKCS #1 v1.5 key transport', () => ({ keyEncryption: tlv(0x30, OID.rsaEncryption, Buffer.of(5, 0)) })],
    ['OAEP with SHA-1', () => ({ keyEncryption: oaep({ hash: OID.sha1 }) })],
    ['OAEP with MGF1 on SHA-1', () => ({ keyEncryption: oaep({ mgfHash: OID.sha1 }) })],
    ['OAEP with the defaults, SHA-1 twice', () => ({ keyEncryption: tlv(0x30, OID.oaep, tlv(0x30)) })],
    ['OAEP without parameters', () => ({ keyEncryption: tlv(0x30, OID.oaep) })],
    ['OAEP with a label', () => ({ keyEncryption: oaep({ label: Buffer.from('label') }) })],
    ['an encrypted key of 255 bytes', () => ({ encryptedKey: randomBytes(255) })],
    ['an encrypted key of 384 bytes', () => ({ encryptedKey: randomBytes(384) })],
    ['content of another type than data', () => ({ dataType: OID.envelopedData })],
    ['AES-128-CBC', () => ({ contentEncryption: tlv(0x30, OID.aes128Cbc, otherIv()) })],
    ['AES-256-GCM', () => ({ contentEncryption: tlv(0x30, OID.aes256Gcm, otherIv()) })],
    [
      'an initialization vector of 12 bytes',
      () => ({ contentEncryption: tlv(0x30, OID.aes256Cbc, tlv(4, randomBytes(12))) }),
    ],
    ['no initialization vector', () => ({ contentEncryption: tlv(0x30, OID.aes256Cbc) })],
    [
      'an initialization vector that is no OCTET STRING',
      () => ({ contentEncryption: tlv(0x30, OID.aes256Cbc, integer(1)) }),
    ],
    ['no content', () => ({ ciphertext: Buffer.alloc(0) })],
    ['content that is not whole blocks', () => ({ ciphertext: randomBytes(33) })],
    [
      'a second recipient',
      () => ({ moreRecipients: [tlv(0x30, integer(2), tlv(0x80, randomBytes(32)), oaep(), tlv(4, randomBytes(256)))] }),
    ],
    ['a password recipient beside ours', () => ({ moreRecipients: [tlv(0xa3, integer(0))] })],
    ['unprotected attributes', () => ({ trailer: tlv(0xa1, tlv(0x30, OID.data, tlv(0x31, tlv(4, Buffer.of(1))))) })],
  ];
  it.each(forms)('%s', async (_, replaced) => {
    await expectRefused(seal(key.publicKey, secret, replaced()));
  });

  it('no recipient at all', async () => {
    const parts = sealParts(key.publicKey, secret);
    const whole = writeEnvelope(parts);
    const start = whole.indexOf(0x31);
    const recipientSet = whole.subarray(start, start + 4 + whole.readUInt16BE(start + 2));
    await expectRefused(
      Buffer.concat([whole.subarray(0, start), Buffer.of(0x31, 0), whole.subarray(start + recipientSet.length)]),
    );
  });

  it('a nested, constructed chunk', async () => {
    const parts = sealParts(key.publicKey, secret);
    const whole = writeEnvelope(parts);
    const at = whole.indexOf(Buffer.concat([Buffer.of(0xa0, 0x80, 4), Buffer.of(parts.ciphertext.length)]));
    const nested = Buffer.concat([Buffer.of(0xa0, 0x80), tlv(0x24, tlv(4, parts.ciphertext))]);
    await expectRefused(
      Buffer.concat([whole.subarray(0, at), nested, whole.subarray(at + 4 + parts.ciphertext.length)]),
    );
  });
});

describe('an envelope whose cryptography does not hold is refused, without a word why', () => {
  const contents: [string, () => Uint8Array][] = [
    [
      'a content key of 16 bytes',
      () => writeEnvelope(sealParts(key.publicKey, secret, { contentKey: randomBytes(16) })),
    ],
    ['OAEP made with SHA-1', () => writeEnvelope(sealParts(key.publicKey, secret, { oaepHash: 'sha1' }))],
    [
      'PKCS #1 v1.5 in the place of OAEP',
      () => writeEnvelope(sealParts(key.publicKey, secret, { padding: constants.RSA_PKCS1_PADDING })),
    ],
    [
      'sealed to another key under our identifier',
      () =>
        writeEnvelope({
          ...sealParts(other.publicKey, secret),
          subjectKeyIdentifier: Buffer.from(key.subjectKeyIdentifier),
        }),
    ],
    ['random octets for the encrypted key', () => seal(key.publicKey, secret, { encryptedKey: randomBytes(256) })],
    [
      'octets above the modulus for the encrypted key',
      () => seal(key.publicKey, secret, { encryptedKey: Buffer.alloc(256, 0xff) }),
    ],
    ['zero for the encrypted key', () => seal(key.publicKey, secret, { encryptedKey: Buffer.alloc(256) })],
  ];
  it.each(contents)('%s', async (_, envelope) => {
    await expectRefused(envelope());
  });

  it.each([0, 17, 255])('padding that says %d', async (last) => {
    const contentKey = randomBytes(32);
    const parts = sealParts(key.publicKey, secret, { contentKey });
    const iv = parts.contentEncryption.subarray(-16);
    const cipher = createCipheriv('aes-256-cbc', contentKey, iv).setAutoPadding(false);
    const ciphertext = Buffer.concat([
      cipher.update(Buffer.concat([secret.subarray(1), Buffer.of(last)])),
      cipher.final(),
    ]);
    await expectRefused(writeEnvelope({ ...parts, ciphertext }));
  });

  it('padding whose bytes differ', async () => {
    const contentKey = randomBytes(32);
    const parts = sealParts(key.publicKey, secret, { contentKey });
    const cipher = createCipheriv('aes-256-cbc', contentKey, parts.contentEncryption.subarray(-16)).setAutoPadding(
      false,
    );
    const blocks = Buffer.concat([secret.subarray(0, 29), Buffer.of(2, 3, 3)]);
    await expectRefused(
      writeEnvelope({ ...parts, ciphertext: Buffer.concat([cipher.update(blocks), cipher.final()]) }),
    );
  });
});

describe('octets that are no envelope', () => {
  it('are refused: nothing, text, zeros, an envelope with octets behind it, and one that is too long', async () => {
    const genuine = seal(key.publicKey, secret);
    const octets = [
      Buffer.alloc(0),
      Buffer.from('{"__type":"AccessDeniedException"}'),
      Buffer.alloc(493),
      Buffer.concat([genuine, Buffer.of(0)]),
      Buffer.concat([genuine, genuine]),
      seal(key.publicKey, Buffer.alloc(13_000)),
    ];
    for (const bytes of octets) await expectRefused(bytes);
  });

  it('are refused when an envelope was cut off, wherever', async () => {
    const genuine = seal(key.publicKey, secret, { shape: { chunks: [10] } });
    for (let end = 0; end < genuine.length; end += 1) await expectRefused(genuine.subarray(0, end));
  });

  it('give errors, never a hang or a crash, however they were changed', async () => {
    const genuine = seal(key.publicKey, secret);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(genuine.length - 1), fc.integer({ min: 1, max: 255 })), {
          minLength: 1,
          maxLength: 8,
        }),
        async (changes) => {
          const changed = Buffer.from(genuine);
          for (const [at, difference] of changes) changed[at] = (changed[at] ?? 0) ^ difference;
          await openEnvelope(changed, key).then(
            () => undefined,
            (error: unknown) => expect(error).toMatchObject({ code: 'ENVELOPE_REFUSED' }),
          );
        },
      ),
      { numRuns: 300 },
    );
  });

  it('decode to nothing, or to parts of the stated lengths', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        try {
          const { subjectKeyIdentifier, encryptedKey, initializationVector } = decodeEnvelope(bytes);
          expect([subjectKeyIdentifier.length, encryptedKey.length, initializationVector.length]).toEqual([
            32, 256, 16,
          ]);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
