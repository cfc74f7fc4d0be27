import type { NitroTpmImage } from '@nitro-enclaves/attestation';
import {
  allowAnyAge,
  allowAnyImage,
  parseAttestationDocument,
  verifyAttestationDocument,
} from '@nitro-enclaves/attestation';
import { issueAttestationDocument } from '@nitro-enclaves/emulator';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as browser from '../src/index.ts';
import { codeOf, codeOfRejection } from './refusals.ts';
import { INSTANCE_ID, issue, LAX, MODULE_ID, NOW, pcrOf, pcrsOf, pki, TRUST, ZERO_PCR } from './synthetic-documents.ts';

const TPM_MODULE_ID = `${INSTANCE_ID}-tpm0000000000000000`;

/** `count` registers, the first ones those of a release. */
function registers(count: number): Record<number, string> {
  const release = pcrsOf('1.0');
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [index, release[index] ?? ZERO_PCR]));
}

describe('a document', () => {
  it.each([16, 17, 24, 32])('of %i PCRs is accepted, in either encoding', async (count) => {
    for (const encoding of ['definite', 'indefinite'] as const) {
      const document = await issue({ pcrs: registers(count), encoding });
      const { pcrs } = await verifyAttestationDocument(document, LAX, { now: NOW });
      expect(pcrs).toEqual(registers(count));
    }
  });

  it('of few registers, not in their order, is accepted', async () => {
    const document = await issueAttestationDocument(
      pki,
      { moduleId: MODULE_ID, pcrs: pcrsOf('1.0') },
      {
        fields: (fields) => {
          const pcrs = new Map([31, 16, 2, 1, 0].map((index) => [index, Buffer.from(pcrOf(`PCR${index}`), 'hex')]));
          return new Map([...fields.set('pcrs', pcrs)].reverse());
        },
      },
    );
    const { pcrs } = await verifyAttestationDocument(document, LAX, { now: NOW });
    expect(Object.keys(pcrs)).toEqual(['0', '1', '2', '16', '31']);
  });

  it.each([0, 1, 512, 513, 1024])('carries %i bytes of public key, user data and nonce', async (length) => {
    const bytes = new Uint8Array(length).fill(0xa5);
    const document = await issue({ publicKey: bytes, userData: bytes, nonce: bytes });
    const verified = await verifyAttestationDocument(document, LAX, { now: NOW });
    expect([verified.publicKey, verified.userData, verified.nonce]).toEqual([bytes, bytes, bytes]);
  });

  it('may leave out what it has not, or say null', async () => {
    const request = { moduleId: MODULE_ID, pcrs: pcrsOf('1.0') };
    const document = await issueAttestationDocument(pki, request, {
      fields: (fields) => {
        for (const name of ['public_key', 'user_data', 'nonce']) fields.delete(name);
        return fields;
      },
    });
    for (const bytes of [document, await issue()]) {
      const { publicKey, userData, nonce } = await verifyAttestationDocument(bytes, LAX, { now: NOW });
      expect([publicKey, userData, nonce]).toEqual([null, null, null]);
    }
  });

  it('is accepted with low and high signatures alike', async () => {
    const halfOrder = BigInt(`0x${'7'}${'f'.repeat(47)}`);
    const documents = await Promise.all(
      Array.from({ length: 16 }, (_, index) => issue({ userData: Uint8Array.of(index) })),
    );
    const high = documents.map(
      (document) => BigInt(`0x${Buffer.from(document.slice(-48)).toString('hex')}`) >> 192n > halfOrder,
    );
    expect(new Set(high)).toEqual(new Set([true, false]));
    for (const document of documents) await verifyAttestationDocument(document, LAX, { now: NOW });
  });

  it('with tag 18 is accepted, with any other tag it is not', async () => {
    const document = await issue();
    for (let tag = 0; tag < 24; tag += 1) {
      const tagged = new Uint8Array([0xc0 | tag, ...document]);
      const code = await codeOfRejection(verifyAttestationDocument(tagged, LAX, { now: NOW }));
      expect(code).toBe(tag === 18 ? 'accepted' : 'COSE_TAG');
    }
  });

  it('with a field that is new is accepted, and shows it; a strict policy refuses it', async () => {
    const request = { moduleId: MODULE_ID, pcrs: pcrsOf('1.0') };
    const document = await issueAttestationDocument(pki, request, {
      fields: (fields) => fields.set('__proto__', 'x').set('svn', 7),
    });
    const { unknownFields } = await verifyAttestationDocument(document, LAX, { now: NOW });
    expect(unknownFields).toEqual([
      { name: '__proto__', value: 'x' },
      { name: 'svn', value: 7 },
    ]);
    const strict = { ...LAX, refuseUnknownFields: true };
    expect(await codeOfRejection(verifyAttestationDocument(document, strict, { now: NOW }))).toBe('UNKNOWN_FIELD');
  });

  it('that says it was made in the year 285 000 is refused, archived or not, by the code for that', async () => {
    const request = { moduleId: MODULE_ID, pcrs: pcrsOf('1.0') };
    const document = await issueAttestationDocument(pki, request, {
      fields: (fields) => fields.set('timestamp', BigInt(Number.MAX_SAFE_INTEGER)),
    });
    const { [allowAnyAge]: _age, ...archive } = LAX;
    expect(await codeOfRejection(browser.verifyArchivedAttestationDocument(document, archive))).toBe('PATH_EXPIRED');
    expect(await codeOfRejection(verifyAttestationDocument(document, LAX, { now: NOW }))).toBe('FROM_THE_FUTURE');
  });

  it('of random bytes, or a genuine one with random changes, gives one of our errors and nothing else', async () => {
    const document = await issue();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(codeOf(() => parseAttestationDocument(bytes))).toMatch(/^[A-Z0-9_]+$/);
      }),
    );
    const changes = fc.array(fc.tuple(fc.nat(document.length - 1), fc.integer({ min: 0, max: 255 })), { minLength: 1 });
    fc.assert(
      fc.property(changes, (list) => {
        const changed = document.slice();
        for (const [index, byte] of list) changed[index] = byte;
        codeOf(() => parseAttestationDocument(changed));
      }),
      { numRuns: 1000 },
    );
  });
});

describe('a document of an instance with NitroTPM', () => {
  const pcrs = { ...registers(24), 4: pcrOf('boot manager'), 7: pcrOf('secure boot') };
  const image: NitroTpmImage = { name: 'ami', pcrs: { 4: pcrOf('boot manager'), 7: pcrOf('secure boot') } };
  const rules = { ...TRUST, freshness: { maxAge: 60_000, clockSkew: 1000 } };
  const document = issue({ kind: 'nitrotpm', moduleId: TPM_MODULE_ID, pcrs });

  it('is accepted when the policy states its kind', async () => {
    const policy = { ...rules, kind: 'nitrotpm', images: [image] } as const;
    const verified = await verifyAttestationDocument(await document, policy, { now: NOW });
    expect(verified).toMatchObject({ kind: 'nitrotpm', instanceId: INSTANCE_ID, image: { name: 'ami' }, pcrs });
    // Instances have no debug mode: a check that was not made is not listed.
    expect(verified.checks).not.toContain('debug-mode');
  });

  it('is compared with a PCR12 of zeros, as the reference measurements of an AMI have it', async () => {
    const measured = { name: 'ami', pcrs: { ...image.pcrs, 12: ZERO_PCR } };
    const policy = { ...rules, kind: 'nitrotpm', images: [measured] } as const;
    expect(await codeOfRejection(verifyAttestationDocument(await document, policy, { now: NOW }))).toBe('accepted');
    // A command line given at boot is measured into it.
    const commanded = await issue({
      kind: 'nitrotpm',
      moduleId: TPM_MODULE_ID,
      pcrs: { ...pcrs, 12: pcrOf('init=/bin/sh') },
    });
    expect(await codeOfRejection(verifyAttestationDocument(commanded, policy, { now: NOW }))).toBe('IMAGE_MISMATCH');
  });

  it('is refused otherwise, also when any image is allowed', async () => {
    const policy = { ...rules, [allowAnyImage]: true } as const;
    const code = await codeOfRejection(verifyAttestationDocument(await document, policy, { now: NOW }));
    expect(code).toBe('KIND_MISMATCH');
  });

  it('is refused when the image differs', async () => {
    const other = { pcrs: { ...image.pcrs, 7: pcrOf('other') } };
    const policy = { ...rules, kind: 'nitrotpm', images: [other] } as const;
    expect(await codeOfRejection(verifyAttestationDocument(await document, policy, { now: NOW }))).toBe(
      'IMAGE_MISMATCH',
    );
  });

  it('cannot be an enclave: nor can an enclave be an instance', async () => {
    const policy = { ...rules, kind: 'nitrotpm', [allowAnyImage]: true } as const;
    expect(await codeOfRejection(verifyAttestationDocument(await issue(), policy, { now: NOW }))).toBe('KIND_MISMATCH');
  });
});
