import { createHash } from 'node:crypto';
import type { AttestationErrorCode, AttestationPolicy, PolicyErrorCode } from '@nitro-enclaves/attestation';
import {
  AttestationError,
  calculateBinding,
  customTrustAnchor,
  PolicyError,
  verifyAttestationDocument,
  verifyAttestationDocumentSync,
} from '@nitro-enclaves/attestation';
import type { AttestationDocumentRequest, FlawName, NitroPki, PayloadEncoding } from '@nitro-enclaves/emulator';
import { createNitroPki, FLAWS, issueAttestationDocument, issueFlawedDocument } from '@nitro-enclaves/emulator';
import { beforeAll, describe, expect, it } from 'vitest';

const NOW = Date.UTC(2026, 4, 17, 9, 30, 11, 250);
const REGION = 'us-east-1';
const INSTANCE_ID = 'i-1234567890abcdef0';
const ROLE_ARN = 'arn:aws:iam::123456789012:role/Webserver';
const BINDING = { purpose: 'flaws', content: Uint8Array.of(1, 2, 3) };
const PUBLIC_KEY = new Uint8Array(97).fill(4);
const NONCE = new Uint8Array(32).fill(7);

function sha384(...parts: readonly (Uint8Array | string)[]): Uint8Array {
  const hash = createHash('sha384');
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}

function measurementOf(text: string): Uint8Array {
  return sha384(new Uint8Array(48), text);
}

/** All 32 registers, every one with a value of its own. */
const PCRS: Readonly<Record<number, Uint8Array>> = {
  ...Object.fromEntries(Array.from({ length: 32 }, (_, index) => [index, sha384(`PCR${index}`)])),
  3: measurementOf(ROLE_ARN),
  4: measurementOf(INSTANCE_ID),
};

const IMAGE = { pcrs: { 0: PCRS[0] ?? '', 1: PCRS[1] ?? '', 2: PCRS[2] ?? '' } };

/** Asks for everything that a policy can ask for. */
async function strictPolicy(pki: NitroPki) {
  return {
    images: [IMAGE],
    pcrs: { 16: PCRS[16] ?? '' },
    instanceId: INSTANCE_ID,
    roleArn: ROLE_ARN,
    regions: [REGION],
    allPcrsLocked: true,
    publicKey: PUBLIC_KEY,
    userData: await calculateBinding(BINDING),
    refuseUnknownFields: true,
    freshness: { nonce: NONCE },
    [customTrustAnchor]: pki.rootCertificate,
  } satisfies AttestationPolicy;
}

const AGE = { maxAge: 60_000, clockSkew: 5000 };

/** Where the strict policy asks for something else first, or for the same in another way. */
const OTHER_POLICIES: { readonly [Name in FlawName]?: Readonly<Record<string, unknown>> } = {
  'pcr-not-locked': { allPcrsLocked: false },
  'binding-other': { userData: undefined, binding: BINDING },
  'timestamp-too-old': { freshness: AGE },
  'made-for-kms': { freshness: AGE, publicKey: undefined, userData: undefined },
};

let pki: NitroPki;
/** Another one of the same seed. */
let samePki: NitroPki;

beforeAll(async () => {
  pki = await createNitroPki({ seed: 'flaws', region: REGION, clock: () => NOW });
  samePki = await createNitroPki({ seed: 'flaws', region: REGION, clock: () => NOW });
});

async function requestOf(encoding: PayloadEncoding): Promise<AttestationDocumentRequest> {
  return {
    moduleId: `${INSTANCE_ID}-enc0198bc571bf3e785`,
    pcrs: PCRS,
    publicKey: PUBLIC_KEY,
    userData: await calculateBinding(BINDING),
    nonce: NONCE,
    encoding,
  };
}

async function policyFor(name: FlawName | undefined): Promise<AttestationPolicy> {
  const policy = { ...(await strictPolicy(pki)), ...(name && OTHER_POLICIES[name]) };
  return Object.fromEntries(
    Reflect.ownKeys(policy)
      .map((key) => [key, policy[key as keyof typeof policy]])
      .filter(([, value]) => value !== undefined),
  ) as unknown as AttestationPolicy;
}

const NAMES = Object.keys(FLAWS) as FlawName[];
const ENCODINGS = ['indefinite', 'definite'] as const;

describe.each(ENCODINGS)('documents with one flaw, their payload %s', (encoding) => {
  it('are accepted by every policy of this test when they have none', async () => {
    const document = await issueAttestationDocument(pki, await requestOf(encoding));
    for (const name of [undefined, ...Object.keys(OTHER_POLICIES)] as (FlawName | undefined)[]) {
      await expect(verifyAttestationDocument(document, await policyFor(name), { now: NOW })).resolves.toMatchObject({
        trust: 'verified',
        debugMode: false,
      });
    }
  });

  it.each(NAMES)('are refused with exactly the code of the flaw %s', async (name) => {
    const request = await requestOf(encoding);
    const document = await issueFlawedDocument(pki, request, name);
    const policy = await policyFor(name);
    const { code } = FLAWS[name];
    await expect(verifyAttestationDocument(document, policy, { now: NOW })).rejects.toMatchObject({ code });
    expect(await issueFlawedDocument(samePki, request, name)).toEqual(document);
  });
});

describe('flaws', () => {
  it('are refused at once as they are on other threads', async () => {
    const request = await requestOf('indefinite');
    for (const name of ['payload-cut', 'pcr-short', 'path-leaf-expired', 'signature-changed', 'debug-mode'] as const) {
      const document = await issueFlawedDocument(pki, request, name);
      const policy = await policyFor(name);
      const { code } = FLAWS[name];
      expect(() => verifyAttestationDocumentSync(document, policy, { now: NOW })).toThrow(
        expect.objectContaining({ code }) as Error,
      );
    }
  });

  it('are refused by a name that is none', async () => {
    const unknown = issueFlawedDocument(pki, await requestOf('definite'), 'toString' as FlawName);
    await expect(unknown).rejects.toMatchObject({ code: 'EMULATOR_FLAW_UNKNOWN' });
  });
});

/** Every code of the verifier: refused by a flaw of a document, or why no document can show it. */
const CODES: Readonly<Record<AttestationErrorCode | PolicyErrorCode, 'flaw' | { readonly reason: string }>> = {
  BINDING_MISMATCH: 'flaw',
  CBOR_DUPLICATE_KEY: 'flaw',
  CBOR_FLOAT: 'flaw',
  CBOR_INDEFINITE_STRING: 'flaw',
  CBOR_INTEGER_RANGE: 'flaw',
  CBOR_KEY_TYPE: 'flaw',
  CBOR_NOT_SHORTEST: 'flaw',
  CBOR_RESERVED_INFORMATION: 'flaw',
  CBOR_SIMPLE_VALUE: 'flaw',
  CBOR_TAG: 'flaw',
  CBOR_TOO_DEEP: 'flaw',
  CBOR_TOO_LARGE: { reason: 'DOCUMENT_TOO_LARGE comes first, with the same limit' },
  CBOR_TOO_MANY_ITEMS: 'flaw',
  CBOR_TRAILING_BYTES: 'flaw',
  CBOR_TRUNCATED: 'flaw',
  CBOR_UNEXPECTED_BREAK: 'flaw',
  CBOR_UNSUPPORTED_VALUE: { reason: 'of encoding, which a verifier never does to a document' },
  CBOR_UTF8: 'flaw',
  CERTIFICATE_BIT_STRING_UNUSED_BITS: 'flaw',
  CERTIFICATE_DUPLICATE_EXTENSION: 'flaw',
  CERTIFICATE_SIGNATURE_ALGORITHM_MISMATCH: 'flaw',
  CERTIFICATE_SIGNATURE_FORM: 'flaw',
  CERTIFICATE_VERSION: 'flaw',
  COSE_ELEMENT_COUNT: 'flaw',
  COSE_INDEFINITE_ARRAY: 'flaw',
  COSE_NOT_ARRAY: 'flaw',
  COSE_PAYLOAD_DETACHED: 'flaw',
  COSE_PAYLOAD_TYPE: 'flaw',
  COSE_PROTECTED_TYPE: 'flaw',
  COSE_SIGNATURE_TYPE: 'flaw',
  COSE_TAG: 'flaw',
  COSE_UNPROTECTED_TYPE: 'flaw',
  DEBUG_MODE: 'flaw',
  DER_BIT_STRING: 'flaw',
  DER_BOOLEAN: 'flaw',
  DER_DEFAULT_ENCODED: 'flaw',
  DER_INTEGER: 'flaw',
  DER_LENGTH: 'flaw',
  DER_OBJECT_IDENTIFIER: 'flaw',
  DER_TAG: 'flaw',
  DER_TIME: 'flaw',
  DER_TRAILING_BYTES: 'flaw',
  DER_TRUNCATED: 'flaw',
  DOCUMENT_EMPTY: 'flaw',
  DOCUMENT_IS_TEXT: 'flaw',
  DOCUMENT_NOT_BYTES: { reason: 'of a caller who gives something else than bytes' },
  DOCUMENT_TOO_LARGE: 'flaw',
  FIELD_CABUNDLE_COUNT: 'flaw',
  FIELD_DIGEST: 'flaw',
  FIELD_LENGTH: 'flaw',
  FIELD_MISSING: 'flaw',
  FIELD_MODULE_ID_EMPTY: 'flaw',
  FIELD_NAME_TYPE: 'flaw',
  FIELD_PCRS_AMBIGUOUS: 'flaw',
  FIELD_PCRS_COUNT: 'flaw',
  FIELD_PCR_INDEX: 'flaw',
  FIELD_PCR_LENGTH: 'flaw',
  FIELD_TIMESTAMP: 'flaw',
  FIELD_TYPE: 'flaw',
  FROM_THE_FUTURE: 'flaw',
  IMAGE_MISMATCH: 'flaw',
  INSTANCE_MISMATCH: 'flaw',
  KIND_MISMATCH: 'flaw',
  KMS_RECIPIENT_DOCUMENT: 'flaw',
  NONCE_MISMATCH: 'flaw',
  NONCE_MISSING: 'flaw',
  PATH_BASIC_CONSTRAINTS: 'flaw',
  PATH_CRITICAL_EXTENSION: 'flaw',
  PATH_EXPIRED: 'flaw',
  PATH_ISSUER: 'flaw',
  PATH_KEY_ALGORITHM: 'flaw',
  PATH_KEY_IDENTIFIER: 'flaw',
  PATH_KEY_NOT_ON_CURVE: 'flaw',
  PATH_KEY_POINT: 'flaw',
  PATH_KEY_USAGE: 'flaw',
  PATH_KEY_USAGE_MISSING: 'flaw',
  PATH_LEAF_IS_CA: 'flaw',
  PATH_LEAF_PATH_LENGTH: 'flaw',
  PATH_LENGTH: 'flaw',
  PATH_NOT_CA: 'flaw',
  PATH_NOT_YET_VALID: 'flaw',
  PATH_SIGNATURE: 'flaw',
  PATH_SIGNATURE_ALGORITHM: 'flaw',
  PATH_SIGNATURE_RANGE: 'flaw',
  PAYLOAD_LENGTH: 'flaw',
  PAYLOAD_NOT_MAP: 'flaw',
  PCRS_NOT_ALL_LOCKED: 'flaw',
  PCR_MISMATCH: 'flaw',
  PCR_MISSING: 'flaw',
  PROTECTED_HEADER_ALGORITHM: 'flaw',
  PROTECTED_HEADER_ENCODING: 'flaw',
  PROTECTED_HEADER_PARAMETER: 'flaw',
  PUBLIC_KEY_MISMATCH: 'flaw',
  REGION_MISMATCH: 'flaw',
  REVOKED: { reason: "of a policy's deny-list, which a right document meets" },
  ROLE_MISMATCH: 'flaw',
  SIGNATURE: 'flaw',
  SIGNATURE_LENGTH: 'flaw',
  SIGNATURE_RANGE: 'flaw',
  TOO_OLD: 'flaw',
  TRUST_ANCHOR: 'flaw',
  UNKNOWN_FIELD: 'flaw',
  UNPROTECTED_HEADER_NOT_EMPTY: 'flaw',
  USER_DATA_MISMATCH: 'flaw',
  USER_DATA_MISSING: { reason: 'of views of user data, which a caller asks for' },
  USER_DATA_NOT_JSON: { reason: 'of views of user data, which a caller asks for' },
  USER_DATA_NOT_TEXT: { reason: 'of views of user data, which a caller asks for' },
};

describe('the codes of the verifier', () => {
  const codes = Object.entries(CODES);
  const shown = new Set<string>(NAMES.map((name) => FLAWS[name].code));

  it.each(codes.filter(([, how]) => how === 'flaw').map(([code]) => code))('%s is the code of a flaw', (code) => {
    expect(shown).toContain(code);
  });

  it.each(codes.filter(([, how]) => how !== 'flaw').map(([code]) => code))('%s is the code of no flaw', (code) => {
    expect(shown).not.toContain(code);
  });

  it('that refuse genuine documents are of another class than those that refuse forgeries', async () => {
    const request = await requestOf('indefinite');
    for (const [name, expected] of [
      ['debug-mode', PolicyError],
      ['signature-by-stranger', AttestationError],
    ] as const) {
      const document = await issueFlawedDocument(pki, request, name);
      await expect(verifyAttestationDocument(document, await policyFor(name), { now: NOW })).rejects.toThrow(expected);
    }
  });
});
