import { X509Certificate } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  extendPcr,
  measureEif,
  pcr3FromRoleArn,
  pcr4FromInstanceId,
  pcr8FromCertificate,
  ZERO_PCR,
} from '@nitro-enclaves/eif';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSigner, opensslSha384 } from './openssl.ts';
import type { SyntheticSection } from './synthetic-image.ts';
import { cmdline, kernel, metadata, ramdisk, syntheticImage, TYPE } from './synthetic-image.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'eif-pcr-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** H(48 zero bytes ‖ H(data)), by openssl. */
async function opensslPcr(...parts: readonly Uint8Array[]): Promise<string> {
  const digest = Buffer.from(await opensslSha384(Buffer.concat(parts)), 'hex');
  return opensslSha384(Buffer.concat([Buffer.alloc(48), digest]));
}

/** The PCRs of an image of these sections, by the documented formulas and openssl. */
async function opensslPcrs(sections: readonly SyntheticSection[]): Promise<Record<string, string>> {
  const measured = sections.filter(
    ({ type }) => type === TYPE.kernel || type === TYPE.cmdline || type === TYPE.ramdisk,
  );
  const [, ...later] = measured.filter(({ type }) => type === TYPE.ramdisk);
  const data = (chosen: readonly SyntheticSection[]): Uint8Array[] => chosen.map((section) => section.data);
  return {
    PCR0: await opensslPcr(...data(measured)),
    PCR1: await opensslPcr(...data(measured.filter((section) => !later.includes(section)))),
    PCR2: await opensslPcr(...data(later)),
  };
}

const EMPTY_PCR2 = '21b9efbc184807662e966d34f390821309eeac6802309798826296bf3e8bec7c10edb30948c90ba67310f7b964fc500a';

describe('PCR0, PCR1 and PCR2', () => {
  it.each([
    ['one ramdisk', [kernel(), cmdline(), metadata(), ramdisk('only')]],
    ['two ramdisks', [kernel(), cmdline(), metadata(), ramdisk('boot'), ramdisk('app')]],
    ['four ramdisks', [kernel(), cmdline(), metadata(), ...['a', 'b', 'c', 'd'].map((text) => ramdisk(text))]],
    ['the command line first', [cmdline(), kernel(), metadata(), ramdisk('boot'), ramdisk('app')]],
    ['the command line last', [kernel(), metadata(), ramdisk('boot'), ramdisk('app'), cmdline()]],
    ['metadata between the ramdisks', [kernel(), cmdline(), ramdisk('boot'), metadata(), ramdisk('app')]],
    ['empty sections', [kernel(''), cmdline(''), metadata(), ramdisk(''), ramdisk('')]],
    ['sections of several pieces', [kernel('k'.repeat(3_000_001)), cmdline(), metadata(), ramdisk('b'), ramdisk('a')]],
  ] as const)('of an image with %s are those that openssl gives by the documented formulas', async (_, sections) => {
    expect(await measureEif(syntheticImage(sections))).toEqual(await opensslPcrs(sections));
  });

  it('do not depend on the thread that hashes the large ramdisks', async () => {
    const large = Buffer.alloc(20 * 1024 * 1024, 'nitro');
    const sections = [kernel(), cmdline(), metadata(), ramdisk('boot'), ramdisk(large), ramdisk('more')];
    expect(await measureEif(syntheticImage(sections))).toEqual(await opensslPcrs(sections));
  });

  it('have the documented PCR2 when there is one ramdisk', async () => {
    const image = syntheticImage([kernel(), cmdline(), metadata(), ramdisk()]);
    expect((await measureEif(image)).PCR2).toBe(EMPTY_PCR2);
  });

  it('do not tell where kernel and command line part: their sections do', async () => {
    const moved = await measureEif(syntheticImage([kernel('ker'), cmdline('nelquiet'), metadata(), ramdisk()]));
    expect(moved).toEqual(await measureEif(syntheticImage([kernel(), cmdline('quiet'), metadata(), ramdisk()])));
  });

  it('cover neither the header nor the metadata', async () => {
    const one = syntheticImage([kernel(), cmdline(), metadata(), ramdisk()], { defaultCpus: 2n });
    const sections = [kernel(), cmdline(), ramdisk()];
    expect(await measureEif(syntheticImage(sections, { version: 3, flags: 1 }))).toEqual(await measureEif(one));
  });
});

describe('PCR3 and PCR4', () => {
  it('have the values of the Nitro Enclaves User Guide', () => {
    expect(pcr3FromRoleArn('arn:aws:iam::123456789012:role/Webserver')).toBe(
      '78fce75db17cd4e0a3fb8dad3ad128ca5e77edbb2b2c7f75329dccd99aa5f6ef4fc1f1a452e315b9e98f9e312e6921e6',
    );
    expect(pcr4FromInstanceId('i-1234567890abcdef0')).toBe(
      '08f996b5d43e047a9eb51e7f548bfee7e164fd7dc8f65541f2ac09d6545ac812719327281c401a67a10fcba87ae79ce0',
    );
  });

  it('take roles with a path and of other partitions', () => {
    const arns = [
      'arn:aws-us-gov:iam::123456789012:role/team/app',
      'arn:aws-cn:iam::123456789012:role/app',
      'arn:aws:iam::123456789012:role/team:a/~b/app',
    ];
    expect(new Set(arns.map(pcr3FromRoleArn)).size).toBe(3);
  });

  it.each([
    'Webserver',
    'arn:aws:iam::123456789012:instance-profile/Webserver',
    'arn:aws:sts::123456789012:assumed-role/Webserver/i-1234567890abcdef0',
    'arn:aws:iam::12345678901:role/Webserver',
    'arn:aws:iam::123456789012:role/',
    'arn:aws:iam::123456789012:role/team/',
    'arn:aws:iam::123456789012:role/team/a:b',
    'arn:aws:iam::123456789012:role/a b/app',
    'arn:aws:iam::123456789012:role/Webserver\n',
    ' arn:aws:iam::123456789012:role/Webserver',
  ])('are not made from %j, which is no role', (arn) => {
    expect(() => pcr3FromRoleArn(arn)).toThrow(expect.objectContaining({ code: 'EIF_ROLE_ARN' }));
  });

  it.each(['', 'i-', '1234567890abcdef0', 'i-1234567890ABCDEF0', 'i-1234567890abcdef0\n'])(
    'are not made from %j, which is no instance',
    (id) => {
      expect(() => pcr4FromInstanceId(id)).toThrow(expect.objectContaining({ code: 'EIF_INSTANCE_ID' }));
    },
  );
});

describe('PCR8', () => {
  it.each([1, 3] as const)(
    'is that of the certificate’s DER by openssl, of an X.509 v%i certificate',
    async (version) => {
      const { certificate } = await createSigner(folder, 'secp384r1', version);
      const der = new Uint8Array(new X509Certificate(certificate).raw);
      const expected = await opensslPcr(der);
      const inText = `Bag Attributes\n    friendlyName: x\n${certificate.replaceAll('\n', '\r\n')}`;
      const second = (await createSigner(folder, 'prime256v1', version)).certificate;
      for (const form of [certificate, Buffer.from(certificate), der, inText, certificate + second]) {
        expect(pcr8FromCertificate(form)).toBe(expected);
      }
    },
  );

  it('is that of the certificate which OpenSSL finds in a text, whatever else looks like one', async () => {
    const first = (await createSigner(folder, 'secp384r1', 3)).certificate;
    const second = (await createSigner(folder, 'prime256v1', 3)).certificate;
    const texts = [
      first.replaceAll(' CERTIFICATE-----', ' X509 CERTIFICATE-----') + second,
      `not at a line's start: ${first}${second}`,
      `not at a line's start:\r${first}${second}`,
      first.replace('-----BEGIN', '----BEGIN') + second,
      first.replace('CERTIFICATE-----', 'CERTIFICATE----- ') + second,
      first.replace('CERTIFICATE-----', 'CERTIFICATE-----x') + second,
    ];
    for (const text of texts) {
      const expected = await opensslPcr(new Uint8Array(new X509Certificate(text).raw));
      expect(pcr8FromCertificate(text), text).toBe(expected);
    }
  });

  it.each([
    ['another character', (pem: string) => pem.replace('\nMII', '\n!II')],
    ['a header', (pem: string) => pem.replace('-----\n', '-----\nName: value\n\n')],
    ['no end', (pem: string) => pem.slice(0, pem.indexOf('-----END'))],
  ])('is not that of a second certificate behind a first with %s', async (_, damage) => {
    const first = damage((await createSigner(folder, 'secp384r1', 3)).certificate);
    const second = (await createSigner(folder, 'prime256v1', 3)).certificate;
    expect(() => pcr8FromCertificate(first + second)).toThrow(expect.objectContaining({ code: 'EIF_CERTIFICATE_PEM' }));
  });

  it.each([
    ['', 'EIF_CERTIFICATE_PEM'],
    ['-----BEGIN CERTIFICATE-----', 'EIF_CERTIFICATE_PEM'],
    ['-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----', 'EIF_CERTIFICATE_PEM'],
    ['-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----', 'EIF_CERTIFICATE_PEM'],
    ['-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----', 'EIF_CERTIFICATE_DER'],
    [Uint8Array.of(0x30, 0x00), 'EIF_CERTIFICATE_DER'],
  ])('is not made from %j', (certificate, code) => {
    expect(() => pcr8FromCertificate(certificate)).toThrow(expect.objectContaining({ code }));
  });
});

describe('extendPcr', () => {
  it('is SHA-384 of the old value and the data, by openssl, however often', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array(), fc.uint8Array({ maxLength: 300 }), async (first, second) => {
        const once = extendPcr(ZERO_PCR, first);
        expect(once).toBe(await opensslSha384(Buffer.concat([Buffer.alloc(48), first])));
        const twice = await opensslSha384(Buffer.concat([Buffer.from(once, 'hex'), second]));
        expect(extendPcr(once, second)).toBe(twice);
        expect(extendPcr(Buffer.from(once, 'hex'), second)).toBe(twice);
      }),
      { numRuns: 5 },
    );
  });

  it.each(['', '00', ZERO_PCR.slice(1), `${ZERO_PCR}0`, `g${ZERO_PCR.slice(1)}`, new Uint8Array(47)])(
    'refuses %j, which is no PCR',
    (pcr) => {
      expect(() => extendPcr(pcr, new Uint8Array(0))).toThrow(expect.objectContaining({ code: 'EIF_PCR_VALUE' }));
    },
  );
});
