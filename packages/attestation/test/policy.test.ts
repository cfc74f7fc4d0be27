import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import type { AttestationPolicy } from '@nitro-enclaves/attestation';
import {
  allowAnyAge,
  allowAnyImage,
  allowDebugMode,
  allowKmsRecipientDocument,
  calculateBinding,
  calculateCommitment,
  PolicyError,
  verifyAttestationDocument,
} from '@nitro-enclaves/attestation';
import { decodeHex, encodeHex } from '@nitro-enclaves/core';
import { issueAttestationDocument } from '@nitro-enclaves/emulator';
import { describe, expect, it } from 'vitest';
import { codeOfRejection } from './refusals.ts';
import {
  INSTANCE_ID,
  imageOf,
  issue,
  LAX,
  MODULE_ID,
  measurementOf,
  NOW,
  pcrOf,
  pcrsOf,
  pki,
  ROLE_ARN,
  TRUST,
  ZERO_PCR,
} from './synthetic-documents.ts';

const NONCE = new Uint8Array(32).fill(7);
const MINUTE = 60_000;
const IMAGE = { images: [imageOf('1.0')] };
const YOUNG = { freshness: { maxAge: MINUTE, clockSkew: 5000 } };

/** The outcome of a verification: the result, or the code of its error. */
async function outcome(document: Uint8Array, policy: AttestationPolicy, now = NOW): Promise<string> {
  return codeOfRejection(verifyAttestationDocument(document, policy, { now }));
}

describe('the image rule', () => {
  it('accepts a document of an allowed image, and names it', async () => {
    const images = [imageOf('0.9'), imageOf('1.0')];
    const verified = await verifyAttestationDocument(await issue(), { ...TRUST, images, ...YOUNG }, { now: NOW });
    expect(verified.image).toEqual({ index: 1, name: '1.0' });
  });

  it('refuses every other image, with a PolicyError that says expected and found', async () => {
    const policy = { ...TRUST, images: [imageOf('2.0')], ...YOUNG };
    const refused = verifyAttestationDocument(await issue(), policy, { now: NOW });
    await expect(refused).rejects.toThrow(PolicyError);
    await expect(refused).rejects.toThrow(pcrOf('1.0 image'));
    await expect(refused).rejects.toMatchObject({ code: 'IMAGE_MISMATCH', path: '$.pcrs' });
  });

  it.each([0, 1, 2])('refuses an image that differs in PCR%i alone', async (index) => {
    const document = await issue({ pcrs: { ...pcrsOf('1.0'), [index]: pcrOf('other') } });
    expect(await outcome(document, { ...TRUST, ...IMAGE, ...YOUNG })).toBe('IMAGE_MISMATCH');
  });

  it('never mixes two releases', async () => {
    const images = [imageOf('1.0'), imageOf('2.0')];
    const mixed = await issue({ pcrs: { ...pcrsOf('1.0'), 2: pcrsOf('2.0')[2] ?? '' } });
    expect(await outcome(mixed, { ...TRUST, images, ...YOUNG })).toBe('IMAGE_MISMATCH');
  });

  it('compares the PCRs that a release has beyond the first three', async () => {
    const signed = { pcrs: { ...imageOf('1.0').pcrs, 8: pcrOf('signer') } };
    const policy = { ...TRUST, images: [signed], ...YOUNG };
    expect(await outcome(await issue(), policy)).toBe('IMAGE_MISMATCH');
    expect(await outcome(await issue({ pcrs: { ...pcrsOf('1.0'), 8: pcrOf('signer') } }), policy)).toBe('accepted');
  });

  it('takes PCRs as bytes and as hexadecimal in either case', async () => {
    const [zero, one, two] = [0, 1, 2].map((index) => pcrsOf('1.0')[index] ?? '');
    if (!zero || !one || !two) throw new Error('the release has three PCRs');
    const images = [{ pcrs: { 0: Uint8Array.from(Buffer.from(zero, 'hex')), 1: one.toUpperCase(), 2: two } }];
    expect(await outcome(await issue(), { ...TRUST, images, ...YOUNG })).toBe('accepted');
  });

  it('accepts any image only by name', async () => {
    const policy = { ...TRUST, [allowAnyImage]: true, ...YOUNG } as const;
    const verified = await verifyAttestationDocument(await issue(), policy, { now: NOW });
    expect(verified.image).toBeNull();
    expect(verified.checks).not.toContain('image');
  });
});

describe('debug mode', () => {
  const zeroed = { ...pcrsOf('1.0'), 0: ZERO_PCR, 1: ZERO_PCR, 2: ZERO_PCR };

  it('is refused whatever PCR3 and PCR4 are, and also when any image is allowed', async () => {
    const document = await issue({ pcrs: zeroed });
    expect(await outcome(document, { ...TRUST, ...IMAGE, ...YOUNG })).toBe('DEBUG_MODE');
    expect(await outcome(document, LAX)).toBe('DEBUG_MODE');
  });

  it.each([0, 1, 2])('is refused when PCR%i alone is zero, or not there', async (index) => {
    const document = await issue({ pcrs: { ...pcrsOf('1.0'), [index]: ZERO_PCR } });
    expect(await outcome(document, LAX)).toBe('DEBUG_MODE');
    const { [index]: _left, ...others } = pcrsOf('1.0');
    expect(await outcome(await issue({ pcrs: others }), LAX)).toBe('DEBUG_MODE');
  });

  it('is marked in the result when it is allowed by name', async () => {
    const policy = { ...TRUST, ...IMAGE, ...YOUNG, [allowDebugMode]: true } as const;
    const verified = await verifyAttestationDocument(await issue({ pcrs: zeroed }), policy, { now: NOW });
    expect(verified).toMatchObject({ debugMode: true, image: null });
  });

  it('being allowed lets no other image in', async () => {
    const policy = { ...TRUST, images: [imageOf('2.0')], ...YOUNG, [allowDebugMode]: true } as const;
    expect(await outcome(await issue(), policy)).toBe('IMAGE_MISMATCH');
  });
});

describe('the freshness rule', () => {
  it('accepts the nonce that was asked for and no other', async () => {
    const policy = (nonce: Uint8Array) => ({ ...TRUST, ...IMAGE, freshness: { nonce } });
    const document = await issue({ nonce: NONCE });
    expect(await outcome(document, policy(NONCE))).toBe('accepted');
    for (let index = 0; index < NONCE.length; index += 1) {
      const other = NONCE.slice();
      other[index] = 8;
      expect(await outcome(document, policy(other))).toBe('NONCE_MISMATCH');
    }
    expect(await outcome(document, policy(NONCE.subarray(1)))).toBe('NONCE_MISMATCH');
    expect(await outcome(document, policy(new Uint8Array([...NONCE, 7])))).toBe('NONCE_MISMATCH');
  });

  it('refuses a document without a nonce, or with an empty one', async () => {
    const policy = { ...TRUST, ...IMAGE, freshness: { nonce: NONCE } };
    expect(await outcome(await issue(), policy)).toBe('NONCE_MISSING');
    expect(await outcome(await issue({ nonce: new Uint8Array() }), policy)).toBe('NONCE_MISMATCH');
  });

  it('accepts a document up to its greatest age', async () => {
    const policy = { ...TRUST, ...IMAGE, ...YOUNG };
    const document = await issue();
    expect(await outcome(document, policy, NOW + MINUTE)).toBe('accepted');
    expect(await outcome(document, policy, NOW + MINUTE + 1)).toBe('TOO_OLD');
  });

  it('accepts a clock that is behind by the skew and no more', async () => {
    const document = await issue({ timestamp: NOW });
    const policy = { ...TRUST, ...IMAGE, freshness: { maxAge: MINUTE, clockSkew: 1000 } };
    expect(await outcome(document, policy, NOW - 1000)).toBe('accepted');
    expect(await outcome(document, policy, NOW - 1001)).toBe('FROM_THE_FUTURE');
  });

  it.each([
    ['a nonce', { freshness: { nonce: NONCE } }],
    ['any age', { [allowAnyAge]: true as const }],
  ])('refuses documents from the future under %s too', async (_, rule) => {
    const policy = { ...TRUST, ...IMAGE, ...rule };
    // The first document makes the leaf that the second one, of a minute later, uses again.
    expect(await outcome(await issue({ nonce: NONCE }), policy)).toBe('accepted');
    const later = await issue({ nonce: NONCE, timestamp: NOW + MINUTE + 1 });
    expect(await outcome(later, policy)).toBe('FROM_THE_FUTURE');
    expect(await outcome(later, policy, NOW + 1)).toBe('accepted');
  });
});

describe('further requirements', () => {
  const base = { ...TRUST, ...IMAGE, ...YOUNG };

  it('compare PCRs by the policy: one that is not in the document is a failure', async () => {
    const document = await issue();
    expect(await outcome(document, { ...base, pcrs: { 3: measurementOf(ROLE_ARN) } })).toBe('accepted');
    expect(await outcome(document, { ...base, pcrs: { 3: pcrOf('other') } })).toBe('PCR_MISMATCH');
    expect(await outcome(document, { ...base, pcrs: { 16: pcrOf('other') } })).toBe('PCR_MISSING');
    expect(await outcome(document, { ...base, pcrs: { 8: ZERO_PCR } })).toBe('accepted');
  });

  it('compare a commitment in a register of the application', async () => {
    const manifest = { purpose: 'manifest', content: new TextEncoder().encode('{"replicas":3}') };
    const { data, pcr } = await calculateCommitment(manifest);
    expect(pcr).toBe(measurementOf(data));
    const document = await issue({ pcrs: { ...pcrsOf('1.0'), 16: pcr } });
    expect(await outcome(document, { ...base, pcrs: { 16: pcr } })).toBe('accepted');
    const other = await calculateCommitment({ ...manifest, purpose: 'other' });
    expect(await outcome(document, { ...base, pcrs: { 16: other.pcr } })).toBe('PCR_MISMATCH');
  });

  it('compare the instance and the role by their measurements', async () => {
    const document = await issue();
    expect(await outcome(document, { ...base, instanceId: INSTANCE_ID, roleArn: ROLE_ARN })).toBe('accepted');
    expect(await outcome(document, { ...base, instanceId: 'i-0' })).toBe('INSTANCE_MISMATCH');
    expect(await outcome(document, { ...base, roleArn: 'arn:aws:iam::1:role/x' })).toBe('ROLE_MISMATCH');
    const { 3: _role, 4: _instance, ...others } = pcrsOf('1.0');
    expect(await outcome(await issue({ pcrs: others }), { ...base, instanceId: INSTANCE_ID })).toBe(
      'INSTANCE_MISMATCH',
    );
  });

  it('compare the region of the certificate authority', async () => {
    const document = await issue();
    expect(await outcome(document, { ...base, regions: ['eu-west-1', pki.region] })).toBe('accepted');
    expect(await outcome(document, { ...base, regions: ['eu-west-1'] })).toBe('REGION_MISMATCH');
  });

  it('ask for all registers to be locked', async () => {
    const all = Object.fromEntries(Array.from({ length: 32 }, (_, index) => [index, ZERO_PCR]));
    const locked = await issue({ pcrs: { ...all, ...pcrsOf('1.0') } });
    expect(await outcome(locked, { ...base, allPcrsLocked: true })).toBe('accepted');
    expect(await outcome(await issue(), { ...base, allPcrsLocked: true })).toBe('PCRS_NOT_ALL_LOCKED');
  });

  it('compare the public key and the user data', async () => {
    const bytes = new Uint8Array(65).fill(4);
    const document = await issue({ publicKey: bytes, userData: bytes });
    const other = bytes.slice().fill(5, 64);
    expect(await outcome(document, { ...base, publicKey: bytes, userData: bytes })).toBe('accepted');
    expect(await outcome(document, { ...base, publicKey: other })).toBe('PUBLIC_KEY_MISMATCH');
    expect(await outcome(document, { ...base, userData: other })).toBe('USER_DATA_MISMATCH');
    expect(await outcome(await issue(), { ...base, publicKey: bytes })).toBe('PUBLIC_KEY_MISMATCH');
    expect(await outcome(await issue(), { ...base, userData: new Uint8Array() })).toBe('USER_DATA_MISMATCH');
  });

  it('bind a document to its purpose: one made for another purpose is refused', async () => {
    const content = new Uint8Array(32).fill(9);
    const userData = await calculateBinding({ purpose: 'tls-server-key', content });
    const document = await issue({ userData });
    expect(await outcome(document, { ...base, binding: { purpose: 'tls-server-key', content } })).toBe('accepted');
    expect(await outcome(document, { ...base, binding: { purpose: 'tls-client-key', content } })).toBe(
      'BINDING_MISMATCH',
    );
    expect(await outcome(document, { ...base, binding: { purpose: 'tls-server-key', content: userData } })).toBe(
      'BINDING_MISMATCH',
    );
  });

  it('never confuse the end of a purpose with the beginning of a content', async () => {
    const bytes = (text: string) => new TextEncoder().encode(text);
    const one = await calculateBinding({ purpose: 'ab', content: bytes('c') });
    const other = await calculateBinding({ purpose: 'a', content: bytes('bc') });
    expect(one).not.toEqual(other);
  });

  it('deny a certificate by issuer and serial number', async () => {
    const document = await issue();
    const { chain } = await verifyAttestationDocument(document, LAX, { now: NOW });
    for (const { issuer, serialNumber } of chain) {
      expect(await outcome(document, { ...base, revoked: [{ issuer, serialNumber }] })).toBe('REVOKED');
      const elsewhere = [{ issuer: '3000', serialNumber }];
      expect(await outcome(document, { ...base, revoked: elsewhere })).toBe('accepted');
    }
  });
});

describe('the deny-list', () => {
  it('takes a serial number as OpenSSL and Node show it: in upper case, and without the zero that DER puts before it', async () => {
    const serialNumber = 'F93175681B90AFE11D46CCB4E4E7F856';
    const document = await issueAttestationDocument(
      pki,
      { moduleId: MODULE_ID, pcrs: pcrsOf('1.0') },
      { certificates: { leaf: { profile: (profile) => ({ ...profile, serialNumber }) } } },
    );
    const { chain, certificate } = await verifyAttestationDocument(document, LAX, { now: NOW });
    const leaf = chain.at(-1);
    expect(leaf?.serialNumber).toBe(`00${serialNumber.toLowerCase()}`);
    expect(new X509Certificate(certificate).serialNumber).toBe(serialNumber);
    const issuer = leaf?.issuer ?? '';
    for (const serial of [serialNumber, `00${serialNumber}`]) {
      const policy = { ...LAX, revoked: [{ issuer: issuer.toUpperCase(), serialNumber: serial }] };
      expect(await outcome(document, policy)).toBe('REVOKED');
    }
  });
});

describe('a document that was made for KMS', () => {
  const { publicKey: key } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const publicKey = new Uint8Array(key.export({ format: 'der', type: 'spki' }));
  const base = { ...TRUST, ...IMAGE, ...YOUNG };

  it('is refused as one for the application', async () => {
    expect(await outcome(await issue({ publicKey }), base)).toBe('KMS_RECIPIENT_DOCUMENT');
  });

  it.each([1024, 3072, 4096])('is refused with a key of %i bits', async (modulusLength) => {
    const { publicKey: other } = generateKeyPairSync('rsa', { modulusLength });
    const publicKey = new Uint8Array(other.export({ format: 'der', type: 'spki' }));
    expect(await outcome(await issue({ publicKey }), base)).toBe('KMS_RECIPIENT_DOCUMENT');
  });

  it('is refused however the lengths around its key are written', async () => {
    const long = decodeHex(encodeHex(publicKey).replace('300d0609', '30840000000d0609'));
    expect(await outcome(await issue({ publicKey: long }), base)).toBe('KMS_RECIPIENT_DOCUMENT');
  });

  it('is refused also when its user data and its nonce are there but empty', async () => {
    const empty = new Uint8Array();
    for (const fields of [{ userData: empty }, { nonce: empty }, { userData: empty, nonce: empty }]) {
      expect(await outcome(await issue({ publicKey, ...fields }), base)).toBe('KMS_RECIPIENT_DOCUMENT');
    }
  });

  it('is accepted when its key is pinned, or by name', async () => {
    expect(await outcome(await issue({ publicKey }), { ...base, publicKey })).toBe('accepted');
    expect(await outcome(await issue({ publicKey }), { ...base, [allowKmsRecipientDocument]: true })).toBe('accepted');
  });

  it('is none when it answers a challenge, carries data, or has another key', async () => {
    const challenged = { ...TRUST, ...IMAGE, freshness: { nonce: NONCE } };
    expect(await outcome(await issue({ publicKey, nonce: NONCE }), challenged)).toBe('accepted');
    expect(await outcome(await issue({ publicKey, userData: Uint8Array.of(1) }), base)).toBe('accepted');
    expect(await outcome(await issue({ publicKey: new Uint8Array(65).fill(4) }), base)).toBe('accepted');
    const { publicKey: curve } = generateKeyPairSync('ec', { namedCurve: 'secp384r1' });
    const other = new Uint8Array(curve.export({ format: 'der', type: 'spki' }));
    expect(await outcome(await issue({ publicKey: other }), base)).toBe('accepted');
  });
});
