import type { VerifierPolicy } from '@nitro-enclaves/attestation';
import {
  allowAnyImage,
  createVerifier,
  customTrustAnchor,
  verifyAttestationDocument,
} from '@nitro-enclaves/attestation';
import { createNitroPki, issueAttestationDocument, issueFlawedDocument } from '@nitro-enclaves/emulator';
import { describe, expect, it } from 'vitest';
import * as browser from '../src/index.ts';
import { codeOf, codeOfRejection } from './refusals.ts';
import { INSTANCE_ID, issue, LAX, MODULE_ID, NOW, pcrsOf, pki, TRUST } from './synthetic-documents.ts';

const HOUR = 3_600_000;
const NONCE = new Uint8Array(16).fill(1);

describe('a verifier', () => {
  it('gives the same result warm as cold, waiting and at once', async () => {
    const verifier = createVerifier({ policy: LAX });
    const document = await issue({ userData: new TextEncoder().encode('hello') });
    const cold = await verifyAttestationDocument(document, LAX, { now: NOW });
    for (let round = 0; round < 3; round += 1) {
      expect(await verifier.verify(document, { now: NOW })).toEqual(cold);
      expect(verifier.verifySync(document, { now: NOW })).toEqual(cold);
    }
  });

  it('of WebCrypto does, too', async () => {
    const verifier = browser.createVerifier({
      policy: { ...TRUST, [browser.allowAnyImage]: true, [browser.allowAnyAge]: true },
    });
    const document = await issue();
    const cold = await verifyAttestationDocument(document, LAX, { now: NOW });
    expect(await verifier.verify(document, { now: NOW })).toEqual(cold);
    expect(await verifier.verify(document, { now: NOW })).toEqual(cold);
  });

  it('verifies many documents at the same time', async () => {
    const verifier = createVerifier({ policy: LAX });
    const documents = await Promise.all(
      Array.from({ length: 20 }, (_, index) => issue({ userData: Uint8Array.of(index) })),
    );
    const verified = await Promise.all(documents.map((document) => verifier.verify(document, { now: NOW })));
    expect(verified.map(({ userData }) => userData?.[0])).toEqual(documents.map((_, index) => index));
  });

  it('whose rule is a nonce takes a new one with each call, and none without', async () => {
    const policy: VerifierPolicy = { ...TRUST, [allowAnyImage]: true, freshness: 'nonce' };
    const verifier = createVerifier({ policy });
    const document = await issue({ nonce: NONCE });
    expect(await codeOfRejection(verifier.verify(document, { now: NOW, nonce: NONCE }))).toBe('accepted');
    expect(await codeOfRejection(verifier.verify(document, { now: NOW, nonce: new Uint8Array(16) }))).toBe(
      'NONCE_MISMATCH',
    );
    expect(await codeOfRejection(verifier.verify(document, { now: NOW }))).toBe('POLICY_NONCE_LENGTH');
    expect(codeOf(() => verifier.verifySync(document, { now: NOW, nonce: new Uint8Array(8) }))).toBe(
      'POLICY_NONCE_LENGTH',
    );
  });

  it('of another rule refuses a nonce that it would not compare', async () => {
    const verifier = createVerifier({ policy: LAX });
    const document = await issue();
    expect(await codeOfRejection(verifier.verify(document, { now: NOW, nonce: NONCE }))).toBe('POLICY_OPTION_TYPE');
  });
});

/** A verifier that knows the chain of the document. */
async function warm(policy: VerifierPolicy = LAX) {
  const verifier = createVerifier({ policy });
  const document = await issue();
  verifier.verifySync(document, { now: NOW });
  return { verifier, document };
}

describe('what a verifier remembers', () => {
  it('outlives no certificate: a known chain is refused when any of it is expired', async () => {
    const { verifier, document } = await warm();
    const { chain } = verifier.verifySync(document, { now: NOW });
    const ends = chain.map(({ notAfter }) => notAfter);
    for (const end of ends) {
      expect(codeOf(() => verifier.verifySync(document, { now: end + 1 }))).toBe('PATH_EXPIRED');
    }
    const starts = chain.map(({ notBefore }) => notBefore);
    for (const start of starts) {
      expect(codeOf(() => verifier.verifySync(document, { now: start - 1 }))).toBe('PATH_NOT_YET_VALID');
    }
    expect(codeOf(() => verifier.verifySync(document, { now: NOW }))).toBe('accepted');
  });

  it('lets no forged signature in below a known chain', async () => {
    const { verifier } = await warm();
    const forged = await issueFlawedDocument(
      pki,
      { moduleId: MODULE_ID, pcrs: pcrsOf('1.0') },
      'signature-by-stranger',
    );
    expect(codeOf(() => verifier.verifySync(forged, { now: NOW }))).toBe('SIGNATURE');
  });

  it('is told apart by every byte: a changed certificate is verified anew', async () => {
    const { verifier, document } = await warm();
    const { caBundle, certificate } = verifier.verifySync(document, { now: NOW });
    for (const encoded of [...caBundle.slice(1), certificate]) {
      const start = Buffer.from(document).indexOf(encoded);
      const changed = document.slice();
      const lastByteOfSignature = start + encoded.length - 1;
      changed[lastByteOfSignature] = (changed[lastByteOfSignature] ?? 0) ^ 1;
      expect(codeOf(() => verifier.verifySync(changed, { now: NOW }))).toBe('PATH_SIGNATURE');
    }
  });

  it('holds for one place in one chain: a known authority is not one below another issuer', async () => {
    const other = await createNitroPki({ seed: 'other', clock: () => NOW });
    const { verifier } = await warm();
    const { caBundle } = await pki.chain(MODULE_ID);
    const foreign = await other.chain(MODULE_ID);
    // The known root and regional authority above a foreign rest, and known ones below a foreign root.
    const moved = await issueAttestationDocument(
      other,
      { moduleId: MODULE_ID, pcrs: pcrsOf('1.0') },
      {
        fields: (fields) => fields.set('cabundle', [caBundle[0], caBundle[1], ...foreign.caBundle.slice(2)]),
      },
    );
    expect(codeOf(() => verifier.verifySync(moved, { now: NOW }))).toMatch(/^PATH_(ISSUER|KEY_IDENTIFIER|SIGNATURE)$/);
    const below = await issueAttestationDocument(
      other,
      { moduleId: MODULE_ID, pcrs: pcrsOf('1.0') },
      { fields: (fields) => fields.set('cabundle', [foreign.caBundle[0], ...caBundle.slice(1)]) },
    );
    expect(codeOf(() => verifier.verifySync(below, { now: NOW }))).toBe('TRUST_ANCHOR');
  });

  it('makes no leaf an authority: a known leaf in the bundle is refused', async () => {
    const { verifier } = await warm();
    const { caBundle, certificate } = await pki.chain(MODULE_ID);
    const request = { moduleId: MODULE_ID, pcrs: pcrsOf('1.0') };
    const extended = await issueAttestationDocument(pki, request, {
      fields: (fields) => fields.set('cabundle', [...caBundle, certificate]),
    });
    expect(codeOf(() => verifier.verifySync(extended, { now: NOW }))).toMatch(/^PATH_(ISSUER|BASIC|NOT_CA|LENGTH)/);
  });

  it('makes no authority a leaf: a document signed by a known authority is refused', async () => {
    const { verifier } = await warm();
    const { caBundle } = await pki.chain(MODULE_ID);
    const request = { moduleId: MODULE_ID, pcrs: pcrsOf('1.0') };
    const shortened = await issueAttestationDocument(pki, request, {
      fields: (fields) => fields.set('certificate', caBundle[3]).set('cabundle', caBundle.slice(0, 3)),
    });
    expect(codeOf(() => verifier.verifySync(shortened, { now: NOW }))).toBe('PATH_LEAF_IS_CA');
  });

  it('still obeys the deny-list', async () => {
    const { chain } = await verifyAttestationDocument(await issue(), LAX, { now: NOW });
    const leaf = chain.at(-1);
    if (leaf === undefined) throw new Error('a verified document has a leaf');
    const revoked = [{ issuer: leaf.issuer, serialNumber: leaf.serialNumber }];
    const verifier = createVerifier({ policy: { ...LAX, revoked } });
    const document = await issue();
    expect(codeOf(() => verifier.verifySync(document, { now: NOW }))).toBe('REVOKED');
    expect(codeOf(() => verifier.verifySync(document, { now: NOW }))).toBe('REVOKED');
  });

  it('is of no use to a verifier with another trust anchor', async () => {
    const other = await createNitroPki({ seed: 'other', clock: () => NOW });
    const document = await issueAttestationDocument(other, { moduleId: MODULE_ID, pcrs: pcrsOf('1.0') });
    const { verifier } = await warm();
    expect(codeOf(() => verifier.verifySync(document, { now: NOW }))).toBe('TRUST_ANCHOR');
    const trusting = createVerifier({ policy: { ...LAX, [customTrustAnchor]: other.rootCertificate } });
    expect(codeOf(() => trusting.verifySync(document, { now: NOW }))).toBe('accepted');
  });

  it('is bounded, and forgets without refusing', async () => {
    for (const cacheSize of [0, 1, 3, 5, 8]) {
      const verifier = createVerifier({ policy: LAX, cacheSize });
      for (const id of ['01', '02', '03', '01', '02']) {
        const document = await issue({ moduleId: `${INSTANCE_ID}-enc01980000000000${id}` });
        expect(codeOf(() => verifier.verifySync(document, { now: NOW }))).toBe('accepted');
        expect(codeOf(() => verifier.verifySync(document, { now: NOW }))).toBe('accepted');
        expect(codeOf(() => verifier.verifySync(document, { now: NOW + 3 * HOUR + 1 }))).toBe('PATH_EXPIRED');
      }
    }
  });
});
