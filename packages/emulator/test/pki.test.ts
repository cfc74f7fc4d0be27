import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CborMap, Certificate } from '@nitro-enclaves/core';
import {
  authorityKeyIdentifier,
  basicConstraints,
  decodeCbor,
  decodeCoseSign1,
  decodeDistinguishedName,
  keyUsage,
  parseCertificate,
  subjectKeyIdentifier,
} from '@nitro-enclaves/core';
import { createNitroPki, EmulatorError, issueAttestationDocument } from '@nitro-enclaves/emulator';
import { describe, expect, it } from 'vitest';

const MODULE_ID = 'i-1234567890abcdef0-enc0198bc571bf3e785';
const NOW = Date.UTC(2026, 0, 3, 20, 40, 28, 123);
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** What two certificates of one level have in common. */
function profileOf({ subject, issuer, extensions, ...certificate }: Certificate) {
  return {
    subject: decodeDistinguishedName(subject).map(({ type }) => type),
    issuer: decodeDistinguishedName(issuer).map(({ type }) => type),
    extensions: [...extensions].map(([identifier, { critical }]) => ({ identifier, critical })),
    constraints: basicConstraints({ ...certificate, subject, issuer, extensions }),
    usage: [...(keyUsage({ ...certificate, subject, issuer, extensions }) ?? [])],
  };
}

async function chainAt(time: number, seed = 'pki') {
  const pki = await createNitroPki({ seed, clock: () => time });
  const { caBundle, certificate } = await pki.chain(MODULE_ID);
  return [...caBundle, certificate].map(parseCertificate);
}

function lifetime({ notBefore, notAfter }: Certificate): number {
  return notAfter - notBefore;
}

function commonName({ subject }: Certificate): string | undefined {
  return decodeDistinguishedName(subject).find(({ type }) => type === 'CN')?.value;
}

describe('the Nitro PKI', () => {
  it("has AWS's lifetimes at every level", async () => {
    const [root, regional, zonal, instance, leaf] = (await chainAt(NOW)).map(lifetime);
    expect(root).toBe(10_958 * DAY + HOUR);
    expect(regional).toBe(20 * DAY + HOUR);
    expect(zonal).toBe(5 * DAY + 18 * HOUR);
    expect(instance).toBe(DAY);
    expect(leaf).toBe(3 * HOUR + 3000);
  });

  it('says in the root, and in nothing else, that it is an emulator', async () => {
    const [root, ...others] = await chainAt(NOW);
    const names = root === undefined ? [] : decodeDistinguishedName(root.subject).map(({ value }) => value);
    expect(names).toEqual([
      'US',
      'Nitro Enclaves Emulator',
      'NOT AWS - for development and tests only',
      'emulator.nitro-enclaves.invalid',
    ]);
    expect(others.map(commonName)).toEqual([
      expect.stringMatching(/^[0-9a-f]{16}\.us-east-1\.aws\.nitro-enclaves$/),
      expect.stringMatching(/^[0-9a-f]{16}\.zonal\.us-east-1\.aws\.nitro-enclaves$/),
      'i-1234567890abcdef0.us-east-1.aws.nitro-enclaves',
      `${MODULE_ID}.us-east-1.aws`,
    ]);
  });

  it('links every certificate to the one above by name, signature and key identifier', async () => {
    const chain = await chainAt(NOW);
    for (const [index, certificate] of chain.entries()) {
      const issuer = chain[Math.max(index - 1, 0)] ?? certificate;
      expect(new X509Certificate(certificate.encoded).verify(new X509Certificate(issuer.encoded).publicKey)).toBe(true);
      expect(certificate.issuer).toEqual(issuer.subject);
      const authority = authorityKeyIdentifier(certificate);
      if (authority !== undefined) expect(authority).toEqual(subjectKeyIdentifier(issuer));
    }
  });

  it('is the same for the same seed and time, and another for another seed', async () => {
    const encoded = async (seed: string) => (await chainAt(NOW, seed)).map((certificate) => certificate.encoded);
    expect(await encoded('one')).toEqual(await encoded('one'));
    const [one, two] = [await encoded('one'), await encoded('two')];
    for (const [index, certificate] of one.entries()) expect(certificate).not.toEqual(two[index]);
  });

  it('keeps its root whatever the time', async () => {
    const [now] = await chainAt(NOW);
    const [later] = await chainAt(NOW + 365 * DAY);
    expect(later?.encoded).toEqual(now?.encoded);
  });

  it('has one root, and of each region its own keys and serial numbers', async () => {
    const options = { seed: 'regions', clock: () => NOW };
    const regions = ['us-east-1', 'eu-west-1', 'ap-south-1'];
    const pkis = await Promise.all(regions.map((region) => createNitroPki({ ...options, region })));
    const chains = await Promise.all(pkis.map((pki) => pki.chain(MODULE_ID)));
    expect(new Set(pkis.map((pki) => Buffer.from(pki.rootCertificate).toString('hex'))).size).toBe(1);
    const authorities = chains.flatMap(({ caBundle }) => caBundle.slice(1).map(parseCertificate));
    const keys = authorities.map(({ publicKey }) => Buffer.from(publicKey).toString('hex'));
    expect(new Set(keys).size).toBe(9);
    expect(new Set(authorities.map(({ serialNumber }) => serialNumber)).size).toBe(9);
    // The same, whichever region one came from.
    expect((await pkis[0]?.inRegion('eu-west-1').chain(MODULE_ID))?.caBundle).toEqual(chains[1]?.caBundle);
  });

  it('renews every level below the root before the one below it could outlive it', async () => {
    for (let hour = 0; hour < 40 * 24; hour += 29) {
      const time = NOW + hour * HOUR;
      const chain = await chainAt(time);
      for (const [index, certificate] of chain.entries()) {
        expect(certificate.notBefore).toBeLessThanOrEqual(time);
        expect(certificate.notAfter).toBeGreaterThanOrEqual(chain[index + 1]?.notAfter ?? time);
      }
    }
  });

  it('uses a leaf again until five minutes before its end, and then makes another', async () => {
    let now = NOW;
    const pki = await createNitroPki({ seed: 'leaf', clock: () => now });
    const first = await pki.chain(MODULE_ID);
    now = NOW + 2 * HOUR + 54 * 60_000;
    expect((await pki.chain(MODULE_ID)).certificate).toBe(first.certificate);
    now = NOW + 2 * HOUR + 56 * 60_000;
    const second = await pki.chain(MODULE_ID);
    expect(second.certificate).not.toEqual(first.certificate);
    expect(second.leafKey.point).not.toEqual(first.leafKey.point);
  });

  it('takes a clock that counts parts of a millisecond', async () => {
    const pki = await createNitroPki({ clock: () => NOW + 0.75 });
    const document = await issueAttestationDocument(pki, { moduleId: MODULE_ID, pcrs: { 0: '00'.repeat(48) } });
    const payload = decodeCbor(decodeCoseSign1(document).payload) as CborMap;
    expect(payload.get('timestamp')).toBe(NOW);
  });

  it('makes another leaf when its clock was set back', async () => {
    let now = NOW;
    const pki = await createNitroPki({ seed: 'back', clock: () => now });
    await pki.chain(MODULE_ID);
    now = NOW - DAY;
    expect((await pki.chain(MODULE_ID)).leafValidity.notBefore).toBeLessThanOrEqual(now);
  });

  it('writes the enclave and the second of its making into the serial number of the leaf', async () => {
    const leaf = (await chainAt(NOW)).at(-1);
    const second = Math.floor(NOW / 1000)
      .toString(16)
      .padStart(8, '0');
    expect(leaf?.serialNumber).toBe(`0198bc571bf3e78500000000${second}`);
  });

  it.each(['', 'i-1-enc', 'enc0123', 'I-1234-enc00', 'i-1234-vm00', ' i-12-enc00'])(
    'refuses the module id %j',
    async (moduleId) => {
      const pki = await createNitroPki({ seed: 'names' });
      const refused = issueAttestationDocument(pki, { moduleId, pcrs: {} });
      await expect(refused).rejects.toThrow(EmulatorError);
      await expect(refused).rejects.toMatchObject({ code: 'EMULATOR_MODULE_ID' });
    },
  );
});

const vectors = process.env['NITRO_VECTORS'];
const genuine = vectors && join(vectors, 'attestation', '2026-01-03-9e038c2d.bin');

function chainOf(document: Uint8Array): Certificate[] {
  const payload = decodeCbor(decodeCoseSign1(document).payload) as CborMap;
  return [...(payload.get('cabundle') as Uint8Array[]), payload.get('certificate') as Uint8Array].map(parseCertificate);
}

describe.skipIf(!genuine || !existsSync(genuine))(
  'beside a genuine document (set NITRO_VECTORS to a folder that has some)',
  () => {
    it('has the same names, extensions, constraints and usages in the same order', async () => {
      const theirs = chainOf(readFileSync(genuine ?? '')).map(profileOf);
      const ours = (await chainAt(NOW)).map(profileOf);
      expect(ours).toEqual(theirs);
    });
  },
);
