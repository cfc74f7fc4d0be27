import type { webcrypto } from 'node:crypto';
import { createCipheriv, createDecipheriv, createHash, createPrivateKey, createPublicKey, subtle } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openEnvelope } from '../src/envelope/open.ts';
import type { RecipientKey } from '../src/recipient/recipient-key.ts';
import { sealParts, writeEnvelope } from './support/envelope-writer.ts';

const folder = process.env['NITRO_VECTORS'];
const unhex = (digits: string): Buffer => Buffer.from(digits, 'hex');

interface Case {
  readonly tcId: number;
  readonly comment: string;
  readonly msg: string;
  readonly ct: string;
  readonly result: 'valid' | 'invalid' | 'acceptable';
}
interface OaepGroup {
  readonly privateKeyPkcs8: string;
  readonly tests: readonly (Case & { label: string })[];
}
interface GcmGroup {
  readonly ivSize: number;
  readonly keySize: number;
  readonly tagSize: number;
  readonly tests: readonly (Case & { key: string; iv: string; aad: string; tag: string })[];
}

function groups<Group>(file: string): readonly Group[] {
  if (folder === undefined) return [];
  return JSON.parse(readFileSync(join(folder, 'conformance', file), 'utf8')).testGroups;
}

/** A recipient key as the pool makes it, from a key that is known. */
async function recipientKeyOf({ privateKeyPkcs8 }: OaepGroup): Promise<RecipientKey> {
  const pkcs8 = unhex(privateKeyPkcs8);
  const key = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
  const publicKey = createPublicKey(key).export({ format: 'der', type: 'spki' });
  const algorithm: webcrypto.RsaHashedImportParams = { name: 'RSA-OAEP', hash: 'SHA-256' };
  const privateKey = await subtle.importKey('pkcs8', pkcs8, algorithm, false, ['decrypt']);
  return { publicKey, privateKey, subjectKeyIdentifier: createHash('sha256').update(publicKey).digest() };
}

/** An envelope whose key is the case's ciphertext, and whose content is under what the case says is in it. */
function envelopeOf(key: RecipientKey, { ct, msg }: Case): Uint8Array {
  const parts = sealParts(key.publicKey, Buffer.from('secret'));
  const contentKey = unhex(msg).length === 32 ? unhex(msg) : Buffer.alloc(32);
  const cipher = createCipheriv('aes-256-cbc', contentKey, parts.contentEncryption.subarray(-16));
  const ciphertext = Buffer.concat([cipher.update('secret'), cipher.final()]);
  return writeEnvelope({ ...parts, encryptedKey: unhex(ct), ciphertext });
}

describe.skipIf(folder === undefined)('Wycheproof (set NITRO_VECTORS to the folder of vectors to run these)', () => {
  it('RSA-OAEP with SHA-256: an envelope opens for the one valid case with a content key and no label, no other', async () => {
    const opened: number[] = [];
    const expected: number[] = [];
    for (const group of groups<OaepGroup>('rsa_oaep_2048_sha256_mgf1sha256_test.json')) {
      const key = await recipientKeyOf(group);
      for (const test of group.tests) {
        if (test.result === 'valid' && test.label === '' && test.msg.length === 64) expected.push(test.tcId);
        await openEnvelope(envelopeOf(key, test), key).then(
          () => opened.push(test.tcId),
          (error: unknown) => expect(error).toMatchObject({ code: 'ENVELOPE_REFUSED' }),
        );
      }
    }
    expect(expected).toHaveLength(1);
    expect(opened).toEqual(expected);
  });

  it('RSA-OAEP with SHA-256: the recipient key decrypts every valid case without a label to its message, and no invalid one', async () => {
    for (const group of groups<OaepGroup>('rsa_oaep_2048_sha256_mgf1sha256_test.json')) {
      const { privateKey } = await recipientKeyOf(group);
      for (const { ct, msg, label, result, tcId } of group.tests) {
        const decrypted = await subtle.decrypt({ name: 'RSA-OAEP' }, privateKey, unhex(ct)).then(
          (bytes) => Buffer.from(bytes).toString('hex'),
          () => undefined,
        );
        expect(decrypted, `case ${tcId}`).toBe(result === 'valid' && label === '' ? msg : undefined);
      }
    }
  });

  it('AES-256-GCM, 96-bit IV and 128-bit tag, as the Encryption SDK uses it: valid cases open, others do not', () => {
    const ours = groups<GcmGroup>('aes_gcm_test.json').filter(
      (g) => g.keySize === 256 && g.ivSize === 96 && g.tagSize === 128,
    );
    let count = 0;
    for (const { tests } of ours)
      for (const { key, iv, aad, msg, ct, tag, result, tcId } of tests) {
        const decipher = createDecipheriv('aes-256-gcm', unhex(key), unhex(iv))
          .setAAD(unhex(aad))
          .setAuthTag(unhex(tag));
        const open = () => Buffer.concat([decipher.update(unhex(ct)), decipher.final()]).toString('hex');
        if (result === 'valid') expect(open(), `case ${tcId}`).toBe(msg);
        else expect(open, `case ${tcId}`).toThrow();
        count += 1;
      }
    expect(count).toBeGreaterThan(50);
  });
});
