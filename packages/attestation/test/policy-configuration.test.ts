import {
  allowAnyAge,
  allowAnyImage,
  createVerifier,
  customTrustAnchor,
  PolicyConfigurationError,
  verifyArchivedAttestationDocument,
  verifyAttestationDocument,
} from '@nitro-enclaves/attestation';
import { describe, expect, it } from 'vitest';
import { codeOf, codeOfRejection } from './refusals.ts';
import { imageOf, issue, LAX, NOW, TRUST, ZERO_PCR } from './synthetic-documents.ts';

const NONCE = new Uint8Array(16).fill(7);
const COMPLETE = { images: [imageOf('1.0')], freshness: { nonce: NONCE } };
const PCR = 'ab'.repeat(48);
const PCRS = { 0: PCR, 1: PCR, 2: PCR };

/** Policies that must never verify anything, each with the code that says why. */
const WRONG: readonly (readonly [what: string, policy: unknown, code: string])[] = [
  ['nothing', undefined, 'POLICY_NOT_AN_OBJECT'],
  ['null', null, 'POLICY_NOT_AN_OBJECT'],
  ['text', 'strict', 'POLICY_NOT_AN_OBJECT'],
  ['an array', [COMPLETE], 'POLICY_NOT_AN_OBJECT'],
  ['an empty object', {}, 'POLICY_IMAGE_MISSING'],
  ['no freshness rule', { images: COMPLETE.images }, 'POLICY_FRESHNESS_MISSING'],
  ['a freshness rule of true', { ...COMPLETE, freshness: true }, 'POLICY_FRESHNESS_MISSING'],
  ['an empty freshness rule', { ...COMPLETE, freshness: {} }, 'POLICY_DURATION'],
  ['a maximum age without a skew', { ...COMPLETE, freshness: { maxAge: 1000 } }, 'POLICY_DURATION'],
  ['an age of NaN', { ...COMPLETE, freshness: { maxAge: Number.NaN, clockSkew: 0 } }, 'POLICY_DURATION'],
  ['an age without end', { ...COMPLETE, freshness: { maxAge: Infinity, clockSkew: 0 } }, 'POLICY_DURATION'],
  ['a negative skew', { ...COMPLETE, freshness: { maxAge: 1, clockSkew: -1 } }, 'POLICY_DURATION'],
  ['an age as text', { ...COMPLETE, freshness: { maxAge: '60000', clockSkew: 0 } }, 'POLICY_DURATION'],
  ['an empty nonce', { ...COMPLETE, freshness: { nonce: new Uint8Array() } }, 'POLICY_NONCE_LENGTH'],
  ['a nonce of 15 bytes', { ...COMPLETE, freshness: { nonce: NONCE.subarray(1) } }, 'POLICY_NONCE_LENGTH'],
  ['a nonce of 1025 bytes', { ...COMPLETE, freshness: { nonce: new Uint8Array(1025) } }, 'POLICY_NONCE_LENGTH'],
  ['a nonce as text', { ...COMPLETE, freshness: { nonce: 'ab'.repeat(16) } }, 'POLICY_NONCE_LENGTH'],
  ['a nonce without a value', { ...COMPLETE, freshness: { nonce: undefined } }, 'POLICY_OPTION_UNDEFINED'],
  ['a nonce and an age', { ...COMPLETE, freshness: { nonce: NONCE, maxAge: 1 } }, 'POLICY_UNKNOWN_OPTION'],
  ['a nonce that is to come with a call', { ...COMPLETE, freshness: 'nonce' }, 'POLICY_NONCE_LENGTH'],
  ['a freshness rule beside any age', { ...COMPLETE, [allowAnyAge]: true }, 'POLICY_OPTION_TYPE'],
  ['any age of false', { images: COMPLETE.images, [allowAnyAge]: false }, 'POLICY_FRESHNESS_MISSING'],
  ['any age of 1', { images: COMPLETE.images, [allowAnyAge]: 1 }, 'POLICY_OPTION_TYPE'],
  ['no image', { freshness: COMPLETE.freshness }, 'POLICY_IMAGE_MISSING'],
  ['no image in the list', { ...COMPLETE, images: [] }, 'POLICY_IMAGE_MISSING'],
  ['images without a value', { ...COMPLETE, images: undefined }, 'POLICY_OPTION_UNDEFINED'],
  ['one image that is no list', { ...COMPLETE, images: COMPLETE.images[0] }, 'POLICY_IMAGE_MISSING'],
  ['an image that is none', { ...COMPLETE, images: [null] }, 'POLICY_OPTION_TYPE'],
  ['an image without PCRs', { ...COMPLETE, images: [{ name: '1.0' }] }, 'POLICY_OPTION_TYPE'],
  ['an image of no PCR', { ...COMPLETE, images: [{ pcrs: {} }] }, 'POLICY_IMAGE_PCRS'],
  ['an image of PCR0 alone', { ...COMPLETE, images: [{ pcrs: { 0: PCR } }] }, 'POLICY_IMAGE_PCRS'],
  ['an image without PCR2', { ...COMPLETE, images: [{ pcrs: { 0: PCR, 1: PCR } }] }, 'POLICY_IMAGE_PCRS'],
  ['an image of PCR3 and PCR4', { ...COMPLETE, images: [{ pcrs: { 3: PCR, 4: PCR } }] }, 'POLICY_IMAGE_PCRS'],
  ['a PCR0 of zeros', { ...COMPLETE, images: [{ pcrs: { ...PCRS, 0: ZERO_PCR } }] }, 'POLICY_PCR_ZERO'],
  ['a PCR2 of zero bytes', { ...COMPLETE, images: [{ pcrs: { ...PCRS, 2: new Uint8Array(48) } }] }, 'POLICY_PCR_ZERO'],
  ['a PCR1 without a value', { ...COMPLETE, images: [{ pcrs: { ...PCRS, 1: undefined } }] }, 'POLICY_PCR_VALUE'],
  ['a PCR1 of null', { ...COMPLETE, images: [{ pcrs: { ...PCRS, 1: null } }] }, 'POLICY_PCR_VALUE'],
  ['a PCR1 of 95 digits', { ...COMPLETE, images: [{ pcrs: { ...PCRS, 1: PCR.slice(1) } }] }, 'POLICY_PCR_VALUE'],
  ['a PCR1 of SHA-256', { ...COMPLETE, images: [{ pcrs: { ...PCRS, 1: 'ab'.repeat(32) } }] }, 'POLICY_PCR_VALUE'],
  ['a PCR1 with a prefix', { ...COMPLETE, images: [{ pcrs: { ...PCRS, 1: `0x${PCR}` } }] }, 'POLICY_PCR_VALUE'],
  ['a PCR1 of other letters', { ...COMPLETE, images: [{ pcrs: { ...PCRS, 1: 'zz'.repeat(48) } }] }, 'POLICY_PCR_VALUE'],
  ['a PCR32', { ...COMPLETE, images: [{ pcrs: { ...PCRS, 32: PCR } }] }, 'POLICY_PCR_INDEX'],
  ['a PCR by name', { ...COMPLETE, images: [{ pcrs: { PCR0: PCR, PCR1: PCR, PCR2: PCR } }] }, 'POLICY_PCR_INDEX'],
  ['an index with a zero before', { ...COMPLETE, images: [{ pcrs: { ...PCRS, '03': PCR } }] }, 'POLICY_PCR_INDEX'],
  ['images beside any image', { ...COMPLETE, [allowAnyImage]: true }, 'POLICY_OPTION_TYPE'],
  ['PCRs without an entry', { ...COMPLETE, pcrs: {} }, 'POLICY_IMAGE_PCRS'],
  ['PCRs as an array', { ...COMPLETE, pcrs: [PCR] }, 'POLICY_OPTION_TYPE'],
  [
    'an instance image without PCR4',
    { ...COMPLETE, kind: 'nitrotpm', images: [{ pcrs: { 7: PCR } }] },
    'POLICY_IMAGE_PCRS',
  ],
  [
    'an instance image whose PCR4 is zero',
    { ...COMPLETE, kind: 'nitrotpm', images: [{ pcrs: { 4: ZERO_PCR, 7: PCR } }] },
    'POLICY_PCR_ZERO',
  ],
  ['another kind', { ...COMPLETE, kind: 'sgx' }, 'POLICY_OPTION_TYPE'],
  ['a misspelt option', { ...COMPLETE, publickey: NONCE }, 'POLICY_UNKNOWN_OPTION'],
  ['a loosening as text', { ...COMPLETE, allowDebugMode: true }, 'POLICY_UNKNOWN_OPTION'],
  ['a symbol of its own', { ...COMPLETE, [Symbol('allowDebugMode')]: true }, 'POLICY_UNKNOWN_OPTION'],
  ['a public key without a value', { ...COMPLETE, publicKey: undefined }, 'POLICY_OPTION_UNDEFINED'],
  ['a public key as text', { ...COMPLETE, publicKey: 'MFkw' }, 'POLICY_OPTION_TYPE'],
  ['user data of null', { ...COMPLETE, userData: null }, 'POLICY_OPTION_TYPE'],
  ['an empty role', { ...COMPLETE, roleArn: '' }, 'POLICY_OPTION_TYPE'],
  ['no region in the list', { ...COMPLETE, regions: [] }, 'POLICY_OPTION_TYPE'],
  ['a binding without a purpose', { ...COMPLETE, binding: { content: NONCE } }, 'POLICY_OPTION_TYPE'],
  ['a binding that is text', { ...COMPLETE, binding: 'tls' }, 'POLICY_OPTION_TYPE'],
  ['a deny-list that is none', { ...COMPLETE, revoked: {} }, 'POLICY_OPTION_TYPE'],
  ['a deny-list of serial numbers', { ...COMPLETE, revoked: ['00'] }, 'POLICY_OPTION_TYPE'],
  ['a deny-list without issuers', { ...COMPLETE, revoked: [{ serialNumber: '00' }] }, 'POLICY_OPTION_TYPE'],
  ['a trust anchor that is no certificate', { ...COMPLETE, [customTrustAnchor]: NONCE }, 'POLICY_TRUST_ANCHOR'],
  ['a trust anchor as text', { ...COMPLETE, [customTrustAnchor]: 'MIIC' }, 'POLICY_TRUST_ANCHOR'],
  ['no trust anchor in its option', { ...COMPLETE, [customTrustAnchor]: undefined }, 'POLICY_OPTION_UNDEFINED'],
];

describe('a policy', () => {
  it.each(WRONG)('of %s is a configuration error, before any document is looked at', async (_, policy, code) => {
    const verified = verifyAttestationDocument(Uint8Array.of(0), policy as never, { now: NOW });
    await expect(verified).rejects.toThrow(PolicyConfigurationError);
    await expect(verified).rejects.toMatchObject({ code, message: expect.stringMatching(/^policy/) });
  });

  it('is compiled when the verifier is created', () => {
    expect(codeOf(() => createVerifier({ policy: {} as never }))).toBe('POLICY_IMAGE_MISSING');
  });

  it('is copied: what the caller writes later into its bytes changes nothing', async () => {
    const nonce = NONCE.slice();
    const verifier = createVerifier({ policy: { ...TRUST, images: [imageOf('1.0')], freshness: { nonce } } });
    nonce.fill(0);
    const document = await issue({ nonce: NONCE });
    await expect(verifier.verify(document, { now: NOW })).resolves.toMatchObject({ trust: 'verified' });
  });

  it('of an archive has no freshness rule', async () => {
    const { images } = COMPLETE;
    const freshness = { ...TRUST, images, freshness: { nonce: NONCE } };
    const document = await issue();
    expect(await codeOfRejection(verifyArchivedAttestationDocument(document, freshness as never))).toBe(
      'POLICY_UNKNOWN_OPTION',
    );
    expect(await codeOfRejection(verifyArchivedAttestationDocument(document, { ...TRUST, images }))).toBe('accepted');
    expect(await codeOfRejection(verifyArchivedAttestationDocument(document, TRUST as never))).toBe(
      'POLICY_IMAGE_MISSING',
    );
  });
});

describe('an evaluation time', () => {
  it.each([[Number.NaN], [-1], [8.65e15], ['now'], [new Date(NOW)], [null]])('of %s is refused', async (now) => {
    const verified = verifyAttestationDocument(await issue(), LAX, { now: now as never });
    expect(await codeOfRejection(verified)).toBe('POLICY_EVALUATION_TIME');
  });

  it('is this machine clock when there is none', async () => {
    const expired = verifyAttestationDocument(await issue({ timestamp: Date.UTC(2024, 0, 1) }), LAX);
    expect(await codeOfRejection(expired)).toBe('PATH_EXPIRED');
    const verified = await verifyAttestationDocument(await issue({ timestamp: Date.now() }), LAX);
    expect(Math.abs(verified.verifiedAt - Date.now())).toBeLessThan(600_000);
  });
});
