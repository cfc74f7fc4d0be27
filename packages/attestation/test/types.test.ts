import type {
  ArchivedAttestationDocument,
  AttestationPolicy,
  PolicyErrorCode,
  UnverifiedAttestationDocument,
  VerifiedAttestationDocument,
  VerifierPolicy,
} from '@nitro-enclaves/attestation';
import {
  allowAnyAge,
  allowAnyImage,
  allowDebugMode,
  parseAttestationDocument,
  type readUserDataText,
  verifyArchivedAttestationDocument,
  verifyAttestationDocument,
} from '@nitro-enclaves/attestation';
import { describe, expectTypeOf, it } from 'vitest';

const PCR = 'ab'.repeat(48);
const images = [{ pcrs: { 0: PCR, 1: PCR, 2: PCR } }];
const freshness = { nonce: new Uint8Array(16) };

/** Compiles only for complete policies: the type check of the tests is the test. */
function expectPolicy(_policy: AttestationPolicy): void {}

describe('the types of a policy', () => {
  it('take an image and a freshness rule', () => {
    expectPolicy({ images, freshness });
    expectPolicy({ images, freshness: { maxAge: 1, clockSkew: 1 } });
    expectPolicy({ [allowAnyImage]: true, [allowAnyAge]: true });
    expectPolicy({ images, freshness, [allowDebugMode]: true });
    expectPolicy({ kind: 'nitrotpm', images: [{ pcrs: { 4: PCR } }], freshness });
  });

  it('refuse a policy without one of them', () => {
    // @ts-expect-error no image
    expectPolicy({ freshness });
    // @ts-expect-error no freshness
    expectPolicy({ images });
    // @ts-expect-error nothing at all
    expectPolicy({});
    // @ts-expect-error an image is all of PCR0, PCR1 and PCR2
    expectPolicy({ images: [{ pcrs: { 0: PCR, 1: PCR } }], freshness });
    // @ts-expect-error an instance is told by PCR4
    expectPolicy({ kind: 'nitrotpm', images: [{ pcrs: { 7: PCR } }], freshness });
    // @ts-expect-error a maximum age needs a skew
    expectPolicy({ images, freshness: { maxAge: 1 } });
    // @ts-expect-error a value that may not be there is no rule
    expectPolicy({ images, freshness, publicKey: undefined });
    // @ts-expect-error false loosens nothing, and says nothing
    expectPolicy({ [allowAnyImage]: false, freshness });
    // @ts-expect-error debug mode is an enclave's
    expectPolicy({ kind: 'nitrotpm', images: [{ pcrs: { 4: PCR } }], freshness, [allowDebugMode]: true });
    // @ts-expect-error the nonce of a verifier comes with each call, that of one verification is here
    expectPolicy({ images, freshness: 'nonce' });
    // @ts-expect-error a misspelt option
    expectPolicy({ images, freshness, userdata: new Uint8Array() });
  });

  it('let a verifier take its nonce with each call', () => {
    expectTypeOf<{ images: typeof images; freshness: 'nonce' }>().toExtend<VerifierPolicy>();
  });
});

describe('the types of results', () => {
  it('tell what was verified, when, and what was not', () => {
    expectTypeOf(parseAttestationDocument).returns.toEqualTypeOf<UnverifiedAttestationDocument>();
    expectTypeOf(verifyAttestationDocument).returns.resolves.toEqualTypeOf<VerifiedAttestationDocument>();
    expectTypeOf(verifyArchivedAttestationDocument).returns.resolves.toEqualTypeOf<ArchivedAttestationDocument>();
    expectTypeOf<UnverifiedAttestationDocument>().not.toExtend<VerifiedAttestationDocument>();
    expectTypeOf<ArchivedAttestationDocument>().not.toExtend<VerifiedAttestationDocument>();
    expectTypeOf<VerifiedAttestationDocument>().not.toExtend<ArchivedAttestationDocument>();
  });

  it('give user data as text of trusted documents only', () => {
    expectTypeOf<VerifiedAttestationDocument>().toExtend<Parameters<typeof readUserDataText>[0]>();
    expectTypeOf<UnverifiedAttestationDocument>().not.toExtend<Parameters<typeof readUserDataText>[0]>();
  });

  it('cannot be written to', () => {
    expectTypeOf<VerifiedAttestationDocument>().toEqualTypeOf<Readonly<VerifiedAttestationDocument>>();
  });

  it('of errors narrow by their codes', () => {
    expectTypeOf<'IMAGE_MISMATCH'>().toExtend<PolicyErrorCode>();
    expectTypeOf<'SIGNATURE'>().not.toExtend<PolicyErrorCode>();
  });
});
