import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeEif, inspectEif, readEif, signEif, toBuildEnclaveOutput } from '@nitro-enclaves/eif';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeEif as describeInBrowser, inspectEif as inspectInBrowser } from '../src/index.ts';
import { createSigner } from './openssl.ts';
import { cmdline, kernel, METADATA, metadata, ramdisk, SECTIONS, syntheticImage } from './synthetic-image.ts';

let folder = '';
let signed = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'eif-describe-'));
  signed = join(folder, 'signed.eif');
  await writeFile(signed, syntheticImage());
  await signEif(signed, await createSigner(folder, 'secp521r1', 1));
});
afterAll(() => rm(folder, { recursive: true }));

const withMetadata = (value: unknown): Uint8Array => syntheticImage([kernel(), cmdline(), metadata(value), ramdisk()]);

describe('describeEif', () => {
  it('has the fields of nitro-cli describe-eif of an unsigned image, in its order', async () => {
    const description = await describeEif(syntheticImage());
    expect(JSON.stringify(description)).toBe(
      JSON.stringify({
        EifVersion: 4,
        ...toBuildEnclaveOutput((await readEif(syntheticImage())).pcrs),
        IsSigned: false,
        CheckCRC: true,
        ImageName: 'hello',
        ImageVersion: '1.0',
        Metadata: { ...METADATA.BuildMetadata, DockerInfo: null },
      }),
    );
    expect(await describeInBrowser(syntheticImage())).toEqual(description);
  });

  it('has no metadata of an image of version 3', async () => {
    const image = syntheticImage([kernel(), cmdline(), ramdisk()], { version: 3 });
    expect(Object.keys(await describeEif(image))).toEqual(['EifVersion', 'Measurements', 'IsSigned', 'CheckCRC']);
  });

  it('puts custom metadata beside the builder’s fields and sorts what is not the format’s own', async () => {
    const CustomMetadata = { zeta: { b: 1, a: [{ d: 1, c: 2 }] }, alpha: null };
    const { Metadata } = await describeEif(
      withMetadata({ ...METADATA, DockerInfo: { Os: 'linux', Id: 1 }, CustomMetadata }),
    );
    expect(JSON.stringify(Metadata)).toBe(
      JSON.stringify({
        ...METADATA.BuildMetadata,
        DockerInfo: { Id: 1, Os: 'linux' },
        alpha: null,
        zeta: { a: [{ c: 2, d: 1 }], b: 1 },
      }),
    );
  });

  it.each([null, 'text', 5, [1, 2], true])(
    'leaves custom metadata that are %j out, as they have no names',
    async (value) => {
      const { Metadata } = await describeEif(withMetadata({ ...METADATA, CustomMetadata: value }));
      expect(Metadata).toEqual({ ...METADATA.BuildMetadata, DockerInfo: null });
    },
  );

  it('shows the signing certificate as OpenSSL does', async () => {
    const { SigningCertificate, SignatureCheck, Measurements } = await describeEif(signed);
    expect(SignatureCheck).toBe(true);
    expect(Object.keys(Measurements)).toEqual(['HashAlgorithm', 'PCR0', 'PCR1', 'PCR2', 'PCR8']);
    expect(SigningCertificate).toMatchObject({
      IssuerName: {
        commonName: 'enclave signer',
        countryName: 'US',
        organizationName: 'Example, Inc.',
        stateOrProvinceName: 'Washington',
      },
      Algorithm: 'ecdsa-with-SHA384',
      Signature: expect.stringMatching(/^30:81:8[0-9A-F](:[0-9A-F]{2})+$/) as string,
    });
    const { validFrom, validTo } = new X509Certificate(await readFile(join(folder, 'secp521r1-v1.pem')));
    expect(SigningCertificate).toMatchObject({ NotBefore: validFrom, NotAfter: validTo });
  });
});

describe('inspectEif', () => {
  it('tells each section’s digest and that the signature holds, or why it does not', async () => {
    const inspection = await inspectEif(signed);
    expect(inspection.sections.map(({ type, size }) => [type, size])).toEqual([
      ...SECTIONS.map(({ data }, index) => [
        ['kernel', 'cmdline', 'metadata', 'ramdisk', 'ramdisk'][index],
        data.length,
      ]),
      ['signature', inspection.header.sectionSizes[5]],
    ]);
    expect(inspection.signature).toMatchObject({ valid: true, algorithm: 'ES512' });
    const expired = await inspectEif(signed, { at: new Date('2100-01-01') });
    expect(expired.signature).toMatchObject({ valid: false, code: 'EIF_CERTIFICATE_EXPIRED' });
    expect((await inspectEif(syntheticImage())).signature).toBeNull();
    expect(await inspectInBrowser(syntheticImage())).toEqual(await inspectEif(syntheticImage()));
  });

  it('refuses a wrong CRC, which describeEif only tells', async () => {
    await expect(inspectEif(syntheticImage(SECTIONS, { crc: 1 }))).rejects.toMatchObject({ code: 'EIF_CRC' });
  });
});
