import { createHash } from 'node:crypto';
import type { VerifiedAttestationDocument } from '@nitro-enclaves/attestation';
import {
  AWS_NITRO_ROOT_G1,
  AWS_NITRO_ROOT_G1_SHA256,
  allowAnyAge,
  calculateInstancePcr,
  calculateRolePcr,
  parseAttestationDocument,
  readUserDataJson,
  readUserDataText,
  verifyArchivedAttestationDocument,
  verifyArchivedAttestationDocumentSync,
  verifyAttestationDocument,
} from '@nitro-enclaves/attestation';
import {
  CHECKS,
  diagnoseArchivedAttestationDocument,
  diagnoseAttestationDocument,
} from '@nitro-enclaves/attestation/diagnosis';
import { parseCertificate } from '@nitro-enclaves/core';
import { describe, expect, it } from 'vitest';
import { awsRoot, recognizeRoot } from '../src/trust-anchor.ts';
import { codeOf, codeOfRejection } from './refusals.ts';
import {
  INSTANCE_ID,
  imageOf,
  issue,
  LAX,
  MODULE_ID,
  measurementOf,
  NOW,
  pcrsOf,
  ROLE_ARN,
  TRUST,
  ZERO_PCR,
} from './synthetic-documents.ts';

const POLICY = { ...TRUST, id: 'production', images: [imageOf('1.0')], freshness: { maxAge: 60_000, clockSkew: 0 } };

function isDeepFrozen(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return true;
  return Object.isFrozen(value) && Object.values(value).every(isDeepFrozen);
}

async function verified(userData: Uint8Array | null = null): Promise<VerifiedAttestationDocument> {
  return verifyAttestationDocument(await issue({ userData }), LAX, { now: NOW });
}

describe('a verified document', () => {
  it('says everything that was verified, and when', async () => {
    const userData = Uint8Array.of(1, 2, 3);
    const document = await verifyAttestationDocument(await issue({ userData }), POLICY, { now: NOW });
    expect(document).toMatchObject({
      trust: 'verified',
      kind: 'enclave',
      moduleId: MODULE_ID,
      instanceId: INSTANCE_ID,
      region: 'us-east-1',
      digest: 'SHA384',
      timestamp: NOW,
      verifiedAt: NOW,
      debugMode: false,
      image: { index: 0, name: '1.0' },
      policyId: 'production',
      isCustomTrustAnchor: true,
      userData,
      publicKey: null,
      nonce: null,
    });
    expect(document.pcrs).toEqual(pcrsOf('1.0'));
  });

  it('is frozen to its depth', async () => {
    expect(isDeepFrozen(await verified())).toBe(true);
    expect(isDeepFrozen(parseAttestationDocument(await issue()))).toBe(true);
  });

  it('has bytes of its own: neither what was given nor what was given out changes it or its successors', async () => {
    const bytes = await issue({ userData: Uint8Array.of(1) });
    const first = await verifyAttestationDocument(bytes, LAX, { now: NOW });
    const kept = bytes.slice();
    bytes.fill(0);
    expect(first.userData).toEqual(Uint8Array.of(1));
    for (const encoded of [...first.caBundle, first.certificate]) encoded.fill(0);
    await expect(verifyAttestationDocument(kept, LAX, { now: NOW })).resolves.toMatchObject({ trust: 'verified' });
  });

  it('lists its chain from the root to the leaf with lifetimes', async () => {
    const { chain, certificate, caBundle } = await verified();
    const serialNumbers = [...caBundle, certificate].map((encoded) => parseCertificate(encoded).serialNumber);
    expect(chain.map(({ serialNumber }) => serialNumber)).toEqual(serialNumbers);
    expect(chain[0]?.subject).toContain('CN=emulator.nitro-enclaves.invalid');
    expect(chain.at(-1)?.subject).toContain(`CN=${MODULE_ID}.us-east-1.aws`);
    const leaf = chain.at(-1);
    expect((leaf?.notAfter ?? 0) - (leaf?.notBefore ?? 0)).toBe(3 * 3_600_000 + 3000);
  });

  it('lists the checks that were made, in their order, and no others', async () => {
    const { checks } = await verifyAttestationDocument(await issue(), POLICY, { now: NOW });
    const order = Object.keys(CHECKS);
    expect(checks).toEqual([...checks].sort((left, right) => order.indexOf(left) - order.indexOf(right)));
    expect(checks).toContain('image');
    expect(checks).toContain('freshness');
    expect(checks).not.toContain('role');
    const lax = await verified();
    expect(lax.checks).not.toContain('image');
    expect(lax.checks).not.toContain('freshness');
    expect(lax.checks).toContain('signature');
  });
});

describe('user data', () => {
  const bytes = (text: string) => new TextEncoder().encode(text);

  it('is read as text and as JSON', async () => {
    const document = await verified(bytes('{"version":"1.0","__proto__":1}'));
    expect(readUserDataText(document)).toBe('{"version":"1.0","__proto__":1}');
    expect(Object.entries(readUserDataJson(document) as object)).toEqual([
      ['version', '1.0'],
      ['__proto__', 1],
    ]);
  });

  it('that is missing, or of another form, is said to be', async () => {
    const missing = await verified();
    expect(codeOf(() => readUserDataText(missing))).toBe('USER_DATA_MISSING');
    const binary = await verified(Uint8Array.of(0xff));
    expect(codeOf(() => readUserDataText(binary))).toBe('USER_DATA_NOT_TEXT');
    const text = await verified(bytes('hello'));
    expect(codeOf(() => readUserDataJson(text))).toBe('USER_DATA_NOT_JSON');
    const empty = await verified(new Uint8Array());
    expect(readUserDataText(empty)).toBe('');
    expect(codeOf(() => readUserDataJson(empty))).toBe('USER_DATA_NOT_JSON');
  });
});

describe('an archived document', () => {
  const { [allowAnyAge]: _age, ...archive } = LAX;
  const LONG_AGO = Date.UTC(2023, 2, 1, 12);

  it('is verified at its own timestamp, and of a type of its own', async () => {
    const document = await issue({ timestamp: LONG_AGO });
    expect(await codeOfRejection(verifyAttestationDocument(document, LAX))).toBe('PATH_EXPIRED');
    const expected = { trust: 'archived', timestamp: LONG_AGO, verifiedAt: LONG_AGO };
    expect(await verifyArchivedAttestationDocument(document, archive)).toMatchObject(expected);
    expect(verifyArchivedAttestationDocumentSync(document, archive)).toMatchObject(expected);
  });

  it('is still judged by its image', async () => {
    const document = await issue({ timestamp: LONG_AGO });
    const other = { ...TRUST, images: [imageOf('2.0')] };
    expect(await codeOfRejection(verifyArchivedAttestationDocument(document, other))).toBe('IMAGE_MISMATCH');
    const debug = await issue({ timestamp: LONG_AGO, pcrs: { ...pcrsOf('1.0'), 0: ZERO_PCR } });
    expect(await codeOfRejection(verifyArchivedAttestationDocument(debug, archive))).toBe('DEBUG_MODE');
  });

  it('lists no check that was not made', async () => {
    const { checks } = await verifyArchivedAttestationDocument(await issue({ timestamp: LONG_AGO }), archive);
    expect(checks).not.toContain('freshness');
    expect(checks).not.toContain('timestamp');
    expect(checks).not.toContain('purpose');
  });
});

describe('a diagnosis', () => {
  it('says of every check whether it passed, in their order', async () => {
    const outcomes = await diagnoseAttestationDocument(await issue(), POLICY, { now: NOW });
    expect(outcomes.map(({ check }) => check)).toEqual(Object.keys(CHECKS));
    expect(new Set(outcomes.map(({ outcome }) => outcome))).toEqual(new Set(['passed', 'not-asked']));
  });

  it('goes on after a failure: everything that is wrong at once', async () => {
    const document = await issue({ pcrs: { ...pcrsOf('2.0'), 4: ZERO_PCR } });
    document.set([(document.at(-1) ?? 0) ^ 1], document.length - 1);
    const policy = { ...POLICY, instanceId: INSTANCE_ID };
    const outcomes = await diagnoseAttestationDocument(document, policy, { now: NOW + 4 * 3_600_000 });
    const failed = outcomes.flatMap((entry) => (entry.outcome === 'failed' ? [[entry.check, entry.error.code]] : []));
    expect(failed).toEqual([
      ['validity', 'PATH_EXPIRED'],
      ['signature', 'SIGNATURE'],
      ['image', 'IMAGE_MISMATCH'],
      ['instance', 'INSTANCE_MISMATCH'],
      ['freshness', 'TOO_OLD'],
    ]);
  });

  it('of an archived document is made at its own timestamp', async () => {
    const document = await issue({ timestamp: Date.UTC(2023, 2, 1) });
    const outcomes = await diagnoseArchivedAttestationDocument(document, { ...TRUST, images: [imageOf('1.0')] });
    expect(new Set(outcomes.map(({ outcome }) => outcome))).toEqual(new Set(['passed', 'not-asked']));
  });

  it('says which checks an early failure left unmade', async () => {
    const outcomes = await diagnoseAttestationDocument(Uint8Array.of(0x84), POLICY, { now: NOW });
    expect(outcomes[0]).toMatchObject({ check: 'envelope', outcome: 'failed' });
    expect(new Set(outcomes.slice(1).map(({ outcome }) => outcome))).toEqual(new Set(['not-reached']));
  });
});

describe('the pinned root', () => {
  it('has the digest that AWS publishes', () => {
    expect(createHash('sha256').update(AWS_NITRO_ROOT_G1).digest('hex')).toBe(AWS_NITRO_ROOT_G1_SHA256);
  });

  it('is recognised by that digest alone, and kept as a copy', () => {
    const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();
    const other = AWS_NITRO_ROOT_G1.slice();
    other[other.length - 1] = (other.at(-1) ?? 0) ^ 1;
    recognizeRoot(other, sha256(other));
    expect(awsRoot()).toBeUndefined();
    const given = AWS_NITRO_ROOT_G1.slice();
    recognizeRoot(given, sha256(given));
    given.fill(0);
    recognizeRoot(other, sha256(other));
    expect(awsRoot()?.certificate.encoded).toEqual(AWS_NITRO_ROOT_G1);
  });
});

describe('measurements', () => {
  it('of a role and of an instance are those of the Nitro Enclaves User Guide', async () => {
    expect(await calculateRolePcr('arn:aws:iam::123456789012:role/Webserver')).toMatch(/^78fce75db17cd4e0a3fb8dad/);
    expect(await calculateInstancePcr('i-1234567890abcdef0')).toMatch(/^08f996b5d43e047a9eb51e7f/);
    expect(await calculateRolePcr(ROLE_ARN)).toBe(measurementOf(ROLE_ARN));
  });
});
