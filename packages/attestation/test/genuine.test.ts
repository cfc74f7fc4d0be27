import {
  AWS_NITRO_ROOT_G1,
  allowAnyAge,
  allowAnyImage,
  allowDebugMode,
  allowKmsRecipientDocument,
  createVerifier,
  parseAttestationDocument,
  verifyArchivedAttestationDocument,
  verifyAttestationDocument,
  verifyAttestationDocumentSync,
} from '@nitro-enclaves/attestation';
import { describe, expect, it } from 'vitest';
import * as browser from '../src/index.ts';
import type { GenuineDocument } from './genuine-documents.ts';
import { GENUINE, NEEDS_VECTORS } from './genuine-documents.ts';
import { codeOf } from './refusals.ts';

const HOUR = 3_600_000;

function policyFor({ kind, debug }: GenuineDocument) {
  const rules = { [allowAnyImage]: true, [allowAnyAge]: true, [allowKmsRecipientDocument]: true } as const;
  return kind === 'nitrotpm'
    ? { kind, ...rules }
    : { kind, ...rules, ...(debug && { [allowDebugMode]: true as const }) };
}

if (GENUINE.length === 0) it.skip(NEEDS_VECTORS);

describe.each(GENUINE.map((genuine) => [genuine.file, genuine] as const))('the genuine document %s', (_, genuine) => {
  const { bytes, timestamp, debug } = genuine;
  const policy = policyFor(genuine);

  it('verifies at its own time, in Node and with WebCrypto, waiting and at once', async () => {
    const expected = { trust: 'verified', moduleId: genuine.moduleId, timestamp, debugMode: debug };
    expect(await verifyAttestationDocument(bytes, policy, { now: timestamp })).toMatchObject(expected);
    expect(await browser.verifyAttestationDocument(bytes, policy, { now: timestamp })).toMatchObject(expected);
    expect(verifyAttestationDocumentSync(bytes, policy, { now: timestamp })).toMatchObject(expected);
  });

  it('has the fields that are known of it', () => {
    const document = parseAttestationDocument(bytes);
    const nonZero = Object.entries(document.pcrs).filter(([, value]) => /[^0]/.test(value));
    expect(Object.fromEntries(nonZero)).toEqual(genuine.nonZeroPcrs);
    expect(Object.keys(document.pcrs)).toHaveLength(genuine.pcrCount);
    expect(document.publicKey?.length ?? null).toBe(genuine.publicKeyBytes);
    expect(document.userData?.length ?? null).toBe(genuine.userDataBytes);
    expect(document.nonce?.length ?? null).toBe(genuine.nonceBytes);
    expect(document.unknownFields).toEqual([]);
  });

  it('verifies to the last moment of its leaf, and is refused by the code for that before and after', () => {
    const { chain } = verifyAttestationDocumentSync(bytes, policy, { now: timestamp });
    const leaf = chain.at(-1);
    if (leaf === undefined) throw new Error('a verified document has a leaf');
    const at = (now: number) => codeOf(() => verifyAttestationDocumentSync(bytes, policy, { now }));
    expect(at(leaf.notAfter)).toBe('accepted');
    expect(at(leaf.notAfter + 1)).toBe('PATH_EXPIRED');
    expect(at(leaf.notAfter + 24 * HOUR)).toBe('PATH_EXPIRED');
    expect(at(leaf.notBefore - 1)).toBe('PATH_NOT_YET_VALID');
    expect(at(0)).toBe('PATH_NOT_YET_VALID');
  });

  it('verifies as one of an archive at any time since', async () => {
    const archived = await verifyArchivedAttestationDocument(bytes, { ...policyWithoutAge(genuine) });
    expect(archived).toMatchObject({ trust: 'archived', verifiedAt: timestamp });
  });

  it('is refused by every other kind that a policy can state', () => {
    const rules = { [allowAnyImage]: true, [allowAnyAge]: true } as const;
    const other = genuine.kind === 'enclave' ? ({ kind: 'nitrotpm', ...rules } as const) : rules;
    expect(codeOf(() => verifyAttestationDocumentSync(bytes, other, { now: timestamp }))).toBe('KIND_MISMATCH');
  });

  it('is refused when it ends early, wherever it ends', () => {
    const verifier = createVerifier({ policy });
    for (let length = 0; length < bytes.length; length += 1) {
      const verify = () => verifier.verifySync(bytes.subarray(0, length), { now: timestamp });
      expect(codeOf(verify), `${length} bytes`).toMatch(/^(CBOR_TRUNCATED|COSE_NOT_ARRAY|DOCUMENT_EMPTY)$/);
    }
  });

  it('is refused when anything follows it', () => {
    const verifier = createVerifier({ policy });
    for (let byte = 0; byte < 256; byte += 1) {
      const extended = new Uint8Array([...bytes, byte]);
      expect(codeOf(() => verifier.verifySync(extended, { now: timestamp }))).toBe('CBOR_TRAILING_BYTES');
    }
    const twice = new Uint8Array([...bytes, ...bytes]);
    expect(codeOf(() => verifier.verifySync(twice, { now: timestamp }))).toBe('CBOR_TRAILING_BYTES');
  });
});

const DEBUG = GENUINE.filter(({ debug }) => debug);

describe.each(DEBUG.map((genuine) => [genuine.file, genuine] as const))(
  'the genuine debug document %s',
  (_, genuine) => {
    it('is refused although PCR4 has a value', () => {
      const { [allowDebugMode]: _allowed, ...strict } = policyFor(genuine) as Record<PropertyKey, unknown>;
      const verify = () => verifyAttestationDocumentSync(genuine.bytes, strict as never, { now: genuine.timestamp });
      expect(Object.keys(genuine.nonZeroPcrs)).toContain('4');
      expect(codeOf(verify)).toBe('DEBUG_MODE');
    });
  },
);

function policyWithoutAge(genuine: GenuineDocument) {
  const { [allowAnyAge]: _age, [allowKmsRecipientDocument]: _kms, ...policy } = policyFor(genuine);
  return policy;
}

describe.each(GENUINE.slice(0, 1))('the pinned root', (genuine) => {
  it('is not what a program writes into the exported bytes', () => {
    const verify = (document: Uint8Array) => () =>
      verifyAttestationDocumentSync(document, policyFor(genuine), { now: genuine.timestamp });
    const changed = genuine.bytes.slice();
    const lastByteOfRoot = Buffer.from(changed).indexOf(AWS_NITRO_ROOT_G1) + AWS_NITRO_ROOT_G1.length - 1;
    changed[lastByteOfRoot] = (changed[lastByteOfRoot] ?? 0) ^ 1;
    const kept = AWS_NITRO_ROOT_G1.slice();
    AWS_NITRO_ROOT_G1[kept.length - 1] = changed[lastByteOfRoot];
    try {
      expect(codeOf(verify(changed))).toBe('TRUST_ANCHOR');
      expect(codeOf(verify(genuine.bytes))).toBe('accepted');
    } finally {
      AWS_NITRO_ROOT_G1.set(kept);
    }
  });
});

/**
 * Every byte of one document of each encoding. The verifier that is asked knows the document's own chain already: the
 * attack on what it remembers, and one signature instead of five.
 */
const CHANGES = [
  ['indefinite', 'its lowest bit turned', (byte: number) => byte ^ 0x01],
  ['indefinite', 'its highest bit turned', (byte: number) => byte ^ 0x80],
  ['indefinite', 'all its bits turned', (byte: number) => byte ^ 0xff],
  ['definite', 'one added', (byte: number) => (byte + 1) & 0xff],
] as const;
const CHANGED = CHANGES.flatMap(([encoding, what, change]) => {
  const genuine = GENUINE.find(({ payloadMap }) => payloadMap === encoding);
  return genuine === undefined ? [] : [[encoding, what, { genuine, change }] as const];
});

describe.each(CHANGED)('a genuine document with a payload map of %s length', (_encoding, what, { genuine, change }) => {
  const { bytes, timestamp } = genuine;

  it(`is refused with any one byte changed: ${what}`, { timeout: 300_000 }, () => {
    const verifier = createVerifier({ policy: policyFor(genuine) });
    verifier.verifySync(bytes, { now: timestamp });
    const accepted: number[] = [];
    const changed = bytes.slice();
    bytes.forEach((byte, index) => {
      changed[index] = change(byte);
      if (codeOf(() => verifier.verifySync(changed, { now: timestamp })) === 'accepted') accepted.push(index);
      changed[index] = byte;
    });
    expect(accepted).toEqual([]);
  });
});
