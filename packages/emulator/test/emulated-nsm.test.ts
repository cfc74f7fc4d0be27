import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AttestationPolicy } from '@nitro-enclaves/attestation';
import {
  allowAnyImage,
  allowDebugMode,
  customTrustAnchor,
  parseAttestationDocument,
  verifyAttestationDocument,
} from '@nitro-enclaves/attestation';
import { decodeCbor, decodeCoseSign1, decodeHex, encodeHex } from '@nitro-enclaves/core';
import type { EmulatedNsmOptions, EnclaveIdentity, NsmFault } from '@nitro-enclaves/emulator';
import { createNitroPki, EmulatedNsm, FaultSchedule, Seed } from '@nitro-enclaves/emulator';
import { Nsm } from '@nitro-enclaves/nsm';
import { NSM_CONFORMANCE } from '@nitro-enclaves/nsm/conformance';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

const ZERO = '00'.repeat(48);
const IDENTITY: EnclaveIdentity = {
  instanceId: 'i-1234567890abcdef0',
  moduleId: 'i-1234567890abcdef0-enc0198bc571bf3e785',
  roleArn: 'arn:aws:iam::123456789012:role/Webserver',
  measurements: { PCR0: 'a0'.repeat(48), PCR1: 'b1'.repeat(48), PCR2: 'c2'.repeat(48), PCR8: 'd8'.repeat(48) },
};
/** Published in the Nitro Enclaves User Guide for this role and this instance id. */
const PCR3 = '78fce75db17cd4e0a3fb8dad3ad128ca5e77edbb2b2c7f75329dccd99aa5f6ef4fc1f1a452e315b9e98f9e312e6921e6';
const PCR4 = '08f996b5d43e047a9eb51e7f548bfee7e164fd7dc8f65541f2ac09d6545ac812719327281c401a67a10fcba87ae79ce0';
const IMAGE = { pcrs: { 0: IDENTITY.measurements.PCR0, 1: IDENTITY.measurements.PCR1, 2: IDENTITY.measurements.PCR2 } };

const pki = await createNitroPki({ seed: 'nsm' });

function emulate(options: Partial<EmulatedNsmOptions> = {}): { device: EmulatedNsm; nsm: Nsm } {
  const device = new EmulatedNsm({ pki, identity: IDENTITY, ...options });
  return { device, nsm: new Nsm(device) };
}

function faulty(...faults: NsmFault[]): { device: EmulatedNsm; nsm: Nsm } {
  return emulate({ faults: new FaultSchedule(Seed.from('faults'), faults) });
}

function policy(nonce: Uint8Array, anchor: Uint8Array = pki.rootCertificate): AttestationPolicy {
  return { images: [IMAGE], instanceId: IDENTITY.instanceId, freshness: { nonce }, [customTrustAnchor]: anchor };
}

const NONCE = new Uint8Array(32).fill(9);

describe('the emulated NSM and the conformance suite of NSM devices', () => {
  const { device } = emulate();
  it.each(NSM_CONFORMANCE.map(({ name, run }) => [name, run] as const))('%s', (_, run) => run(device));
});

const vectors = process.env['NITRO_VECTORS'];
const wireVectors = vectors && join(vectors, 'nsm', 'wire-vectors.json');

describe.skipIf(!wireVectors || !existsSync(wireVectors))(
  "the emulated NSM and AWS's own bytes (set NITRO_VECTORS to a folder that has some)",
  () => {
    const { requests, responses } = wireVectors
      ? JSON.parse(readFileSync(wireVectors, 'utf8'))
      : { requests: [], responses: [] };

    it('takes every request of the crate', async () => {
      const { device } = emulate();
      const answers = new Map<string, unknown>();
      for (const { name, hex } of requests) {
        const answer = decodeCbor(await device.request(decodeHex(hex)));
        answers.set(name, answer instanceof Map ? [...answer.keys()][0] : answer);
      }
      expect(Object.fromEntries(answers)).toMatchObject({
        DescribePCR: 'DescribePCR',
        DescribeNSM: 'DescribeNSM',
        Attestation: 'Attestation',
        GetRandom: 'GetRandom',
        LockPCRs: 'LockPCRs',
        // These two name registers that are locked.
        ExtendPCR: 'Error',
        LockPCR: 'Error',
      });
    });

    it('has the names and fields of every response of the crate, in their order', async () => {
      const { device } = emulate();
      const requestOf: Record<string, string> = {
        DescribePCR: 'a16b4465736372696265504352a165696e64657803',
        ExtendPCR: 'a169457874656e64504352a265696e64657810646461746143010203',
        LockPCR: 'a1674c6f636b504352a165696e64657810',
        LockPCRs: 'a1684c6f636b50435273a16572616e676510',
        DescribeNSM: '6b44657363726962654e534d',
        GetRandom: '6947657452616e646f6d',
        Error: 'a16b4465736372696265504352a165696e6465781820',
      };
      for (const { name, hex } of responses) {
        const request = requestOf[name];
        if (request === undefined) continue;
        const shape = (bytes: Uint8Array) => {
          const value = decodeCbor(bytes);
          if (!(value instanceof Map)) return value;
          return [...value].map(([key, fields]) => [key, fields instanceof Map ? [...fields.keys()] : fields]);
        };
        expect(shape(await device.request(decodeHex(request))), name).toEqual(shape(decodeHex(hex)));
      }
    });
  },
);

describe('the PCRs of an emulated enclave', () => {
  it("are its image's, its role's and its parent's", () => {
    const { device } = emulate();
    const { PCR0, PCR1, PCR2, PCR8 } = IDENTITY.measurements;
    expect(device.pcrs()).toMatchObject({
      0: PCR0,
      1: PCR1,
      2: PCR2,
      3: PCR3,
      4: PCR4,
      8: PCR8,
      5: ZERO,
      16: ZERO,
      31: ZERO,
    });
  });

  it('have no PCR3 without a role and no PCR8 without a signed image', () => {
    const { PCR0, PCR1, PCR2 } = IDENTITY.measurements;
    const { device } = emulate({
      identity: { ...IDENTITY, roleArn: undefined, measurements: { PCR0, PCR1, PCR2 } },
    });
    expect(device.pcrs()).toMatchObject({ 0: PCR0, 3: ZERO, 4: PCR4, 8: ZERO });
  });

  it('are zero for 0, 1, 2 and 8 in debug mode, and for 3 and 4 are not', () => {
    const { device } = emulate({ identity: { ...IDENTITY, debugMode: true } });
    expect(device.pcrs()).toMatchObject({ 0: ZERO, 1: ZERO, 2: ZERO, 3: PCR3, 4: PCR4, 8: ZERO });
  });

  it.each(['', '00', 'zz'.repeat(48), `${ZERO}00`])('are refused when a measurement is %j', (PCR0) => {
    const identity = { ...IDENTITY, measurements: { ...IDENTITY.measurements, PCR0 } };
    expect(() => new EmulatedNsm({ pki, identity })).toThrow(expect.objectContaining({ code: 'EMULATOR_MEASUREMENT' }));
  });
});

describe('documents of the emulated NSM', () => {
  it('verify with its root given by name, and not without', async () => {
    const document = await emulate().nsm.attestation({ nonce: NONCE });
    await expect(verifyAttestationDocument(document, policy(NONCE))).resolves.toMatchObject({
      moduleId: IDENTITY.moduleId,
      instanceId: IDENTITY.instanceId,
      isCustomTrustAnchor: true,
    });
    const { [customTrustAnchor]: _, ...awsPolicy } = policy(NONCE) as AttestationPolicy & {
      [customTrustAnchor]: Uint8Array;
    };
    await expect(verifyAttestationDocument(document, awsPolicy)).rejects.toMatchObject({ code: 'TRUST_ANCHOR' });
  });

  it.each([
    ['indefinite', 0xbf],
    ['definite', 0xa9],
  ] as const)('have their payload as %s map on request', async (encoding, first) => {
    const document = await emulate({ encoding }).nsm.attestation({ nonce: NONCE });
    expect(decodeCoseSign1(document).payload[0]).toBe(first);
    await expect(verifyAttestationDocument(document, policy(NONCE))).resolves.toBeDefined();
  });

  it('are indefinite unless asked otherwise', async () => {
    expect(decodeCoseSign1(await emulate().nsm.attestation()).payload[0]).toBe(0xbf);
  });

  it('list 16 PCRs after the start, and each further one once it is locked', async () => {
    const { nsm } = emulate();
    const listed = async () => Object.keys(parseAttestationDocument(await nsm.attestation()).pcrs).map(Number);
    expect(await listed()).toEqual(Array.from({ length: 16 }, (_, index) => index));
    await nsm.extendPcr(16, Uint8Array.of(1));
    await nsm.extendPcr(20, Uint8Array.of(1));
    await nsm.lockPcr(20);
    expect((await listed()).slice(16)).toEqual([20]);
    await nsm.lockPcrs(32);
    expect(await listed()).toHaveLength(32);
  });

  it('of a debug enclave are refused unless that is allowed by name', async () => {
    const { nsm } = emulate({ identity: { ...IDENTITY, debugMode: true } });
    const document = await nsm.attestation({ nonce: NONCE });
    await expect(verifyAttestationDocument(document, policy(NONCE))).rejects.toMatchObject({ code: 'DEBUG_MODE' });
    const allowed = { ...policy(NONCE), [allowDebugMode]: true } as AttestationPolicy;
    await expect(verifyAttestationDocument(document, allowed)).resolves.toMatchObject({ debugMode: true, image: null });
  });

  it('are of the time of its clock, and under certificates of that time', async () => {
    let now = Date.UTC(2026, 0, 1);
    const clocked = await createNitroPki({ seed: 'clock', clock: () => now });
    const { nsm } = emulate({ pki: clocked });
    for (const hours of [0, 1, 4, 30, 24 * 40]) {
      now = Date.UTC(2026, 0, 1) + hours * 3_600_000;
      const document = await nsm.attestation({ nonce: NONCE });
      const verified = await verifyAttestationDocument(document, policy(NONCE, clocked.rootCertificate), { now });
      expect(verified.timestamp).toBe(now);
    }
  });

  it('are the same for the same seed, identity, clock and requests', async () => {
    const issue = async () => {
      const same = await createNitroPki({ seed: 'same', clock: () => Date.UTC(2026, 3, 1) });
      const { nsm } = emulate({ pki: same, seed: Seed.from('same') });
      return [encodeHex(await nsm.attestation({ nonce: NONCE })), encodeHex(await nsm.getRandom(300))];
    };
    expect(await issue()).toEqual(await issue());
  });
});

describe('faults of the emulated NSM', () => {
  it('slow: answers late, and a deadline ends the wait', async () => {
    const { nsm } = faulty({ kind: 'slow', ms: 400, times: 1 });
    await expect(nsm.describeNsm({ timeout: 20 })).rejects.toMatchObject({ code: 'NSM_TIMEOUT' });
    await expect(nsm.describeNsm()).resolves.toMatchObject({ maxPcrs: 32 });
  });

  it('error: answers with the error that was asked for, and recovers', async () => {
    const { nsm } = faulty({ kind: 'error', error: 'InternalError', after: 1, times: 2 });
    await expect(nsm.describeNsm()).resolves.toBeDefined();
    await expect(nsm.attestation()).rejects.toMatchObject({ code: 'NSM_INTERNAL_ERROR' });
    await expect(nsm.getRandom(8)).rejects.toMatchObject({ code: 'NSM_INTERNAL_ERROR' });
    await expect(nsm.attestation()).resolves.toBeDefined();
  });

  it.each([
    ['stale-document', { kind: 'stale-document', ageMs: 3_600_000 }, 'TOO_OLD'],
    ['stale-document beyond its leaf', { kind: 'stale-document', ageMs: 4 * 3_600_000 }, 'PATH_EXPIRED'],
    ['foreign-document', { kind: 'foreign-document' }, 'IMAGE_MISMATCH'],
    ['foreign-root', { kind: 'foreign-root' }, 'TRUST_ANCHOR'],
    ['unsigned-document', { kind: 'unsigned-document' }, 'PROTECTED_HEADER_ALGORITHM'],
  ] as const)('%s: the document is denied', async (_, fault, code) => {
    const { nsm } = faulty({ ...fault, times: 1 });
    const fresh: AttestationPolicy = {
      images: [IMAGE],
      freshness: { maxAge: 60_000, clockSkew: 5000 },
      [customTrustAnchor]: pki.rootCertificate,
    };
    await expect(verifyAttestationDocument(await nsm.attestation(), fresh)).rejects.toMatchObject({ code });
    await expect(verifyAttestationDocument(await nsm.attestation(), fresh)).resolves.toBeDefined();
  });
});

describe('a document of the emulator', () => {
  it('never verifies under the default root, whatever the options', async () => {
    const hex48 = fc.uint8Array({ minLength: 48, maxLength: 48 }).map(encodeHex);
    const identities = fc.record({
      instanceId: fc.constant(IDENTITY.instanceId),
      moduleId: fc.constant(IDENTITY.moduleId),
      roleArn: fc.option(fc.string({ minLength: 1 }), { nil: undefined }),
      measurements: fc.record({ PCR0: hex48, PCR1: hex48, PCR2: hex48 }),
      debugMode: fc.boolean(),
    });
    const options = fc.record({
      identity: identities,
      encoding: fc.constantFrom('indefinite' as const, 'definite' as const),
      seed: fc.string().map(Seed.from),
    });
    const requests = fc.record({ seed: fc.string(), region: fc.constantFrom('us-east-1', 'eu-west-1', 'cn-north-1') });
    await fc.assert(
      fc.asyncProperty(options, requests, async ({ identity, encoding, seed }, { seed: pkiSeed, region }) => {
        const any = await createNitroPki({ seed: pkiSeed, region });
        const { nsm } = emulate({ pki: any, identity, encoding, seed });
        const document = await nsm.attestation({ nonce: NONCE });
        const lenient: AttestationPolicy = {
          [allowAnyImage]: true,
          [allowDebugMode]: true,
          freshness: { nonce: NONCE },
        };
        await expect(verifyAttestationDocument(document, lenient)).rejects.toMatchObject({ code: 'TRUST_ANCHOR' });
        const named = { ...lenient, [customTrustAnchor]: any.rootCertificate } as AttestationPolicy;
        await expect(verifyAttestationDocument(document, named)).resolves.toBeDefined();
      }),
      { numRuns: 25 },
    );
  });
});

describe('the door of the emulated NSM', () => {
  it('answers any bytes with an error or an answer, and never throws for what they are', async () => {
    const { device } = emulate();
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 64 }), async (bytes) => {
        const answer = decodeCbor(await device.request(bytes));
        expect(answer instanceof Map || typeof answer === 'string').toBe(true);
      }),
    );
  });

  it('refuses an attestation field of 1025 bytes with InputTooLarge', async () => {
    const { nsm } = emulate();
    const fields = new Map([['user_data', new Uint8Array(1025)]]);
    await expect(nsm.request({ name: 'Attestation', fields })).rejects.toMatchObject({ code: 'NSM_INPUT_TOO_LARGE' });
  });

  it.each([
    ['a negative index', 'a16b4465736372696265504352a165696e64657820'],
    ['an index beyond 16 bits', 'a16b4465736372696265504352a165696e6465781a00010000'],
    ['data that are text', 'a169457874656e64504352a265696e64657810646461746163616263'],
    ['a request with fields that has none', '6b4465736372696265504352'],
    ['two requests at once', 'a2674c6f636b504352a165696e64657810684c6f636b50435273a16572616e676510'],
  ])('refuses %s as an invalid operation', async (_, hex) => {
    const answer = decodeCbor(await emulate().device.request(decodeHex(hex)));
    expect(answer).toEqual(new Map([['Error', 'InvalidOperation']]));
  });
});
