import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describeEif, measureEif, readEif, verifyEif } from '@nitro-enclaves/eif';
import { describe, expect, it } from 'vitest';
import { measureEif as measureInBrowser } from '../src/index.ts';

const folder = process.env['NITRO_VECTORS'];

interface ReferenceImage {
  readonly file: string;
  readonly measurements: Readonly<Record<string, string>>;
  readonly describe: {
    readonly header: {
      readonly crc32: number;
      readonly default_cpus: number;
      readonly default_mem: number;
      readonly flags: number;
      readonly section_offsets: readonly number[];
      readonly section_sizes: readonly number[];
      readonly version: number;
    };
    readonly metadata: {
      readonly ImageName: string;
      readonly ImageVersion: string;
      readonly BuildMetadata: Readonly<Record<string, string>>;
      readonly DockerInfo: unknown;
      readonly CustomMetadata: unknown;
    };
    readonly crc_ok: boolean;
    readonly measurements: { readonly Ok: Readonly<Record<string, string>> };
    readonly signature: 'absent' | 'valid';
  };
}

async function images(): Promise<ReferenceImage[]> {
  return JSON.parse(await readFile(join(folder ?? '', 'eif/index.json'), 'utf8')) as ReferenceImage[];
}

describe.skipIf(folder === undefined)('images by the reference builder (set NITRO_VECTORS to their folder)', () => {
  it('have the PCRs that the reference reader measures, from a path, bytes, a Blob and a stream', async () => {
    for (const { file, measurements } of await images()) {
      const path = join(folder ?? '', 'eif', file);
      const bytes = new Uint8Array(await readFile(path));
      expect(await measureEif(path)).toEqual(measurements);
      expect(await measureInBrowser(bytes)).toEqual(measurements);
      expect(await measureInBrowser(new Blob([bytes]))).toEqual(measurements);
      expect(await measureInBrowser(new Blob([bytes]).stream())).toEqual(measurements);
    }
  });

  it('have the header, sections and metadata that the reference reader finds', async () => {
    for (const { file, describe: expected } of await images()) {
      const eif = await readEif(join(folder ?? '', 'eif', file));
      expect(eif.header).toEqual({
        version: expected.header.version,
        architecture: expected.header.flags === 0 ? 'x86_64' : 'aarch64',
        flags: expected.header.flags,
        defaultMemory: expected.header.default_mem,
        defaultCpus: expected.header.default_cpus,
        sectionOffsets: expected.header.section_offsets,
        sectionSizes: expected.header.section_sizes,
        crc32: expected.header.crc32,
      });
      expect(eif.metadata?.imageName).toBe(expected.metadata.ImageName);
      expect(eif.metadata?.dockerInfo).toEqual(expected.metadata.DockerInfo);
      expect(eif.signature !== undefined).toBe(expected.signature === 'valid');
    }
  });

  it('are described as the reference reader describes them, field by field and in its order', async () => {
    for (const { file, describe: expected } of await images()) {
      const description = await describeEif(join(folder ?? '', 'eif', file));
      const { BuildTime, BuildTool, BuildToolVersion, OperatingSystem, KernelVersion } =
        expected.metadata.BuildMetadata;
      const isSigned = expected.signature === 'valid';
      const { SigningCertificate } = description;
      expect(JSON.stringify(description)).toBe(
        JSON.stringify({
          EifVersion: expected.header.version,
          Measurements: expected.measurements.Ok,
          IsSigned: isSigned,
          ...(isSigned ? { SigningCertificate } : {}),
          CheckCRC: expected.crc_ok,
          ...(isSigned ? { SignatureCheck: true } : {}),
          ImageName: expected.metadata.ImageName,
          ImageVersion: expected.metadata.ImageVersion,
          Metadata: {
            BuildTime,
            BuildTool,
            BuildToolVersion,
            OperatingSystem,
            KernelVersion,
            DockerInfo: expected.metadata.DockerInfo,
            ...((expected.metadata.CustomMetadata ?? {}) as object),
          },
        }),
      );
      expect(SigningCertificate !== undefined).toBe(isSigned);
    }
  });

  it('verify where they are signed, within the certificate’s dates, and show it as OpenSSL does', async () => {
    for (const { file, describe: expected, measurements } of await images()) {
      if (expected.signature !== 'valid') continue;
      const path = join(folder ?? '', 'eif', file);
      const { signature } = await readEif(path);
      const certificate = new X509Certificate(Buffer.from(signature?.certificatePem ?? []));
      const at = new Date(certificate.validFrom);
      expect((await verifyEif(path, { at })).pcrs.PCR8).toBe(measurements['PCR8']);
      const before = new Date(at.getTime() - 1000);
      await expect(verifyEif(path, { at: before })).rejects.toMatchObject({ code: 'EIF_CERTIFICATE_NOT_YET_VALID' });
      const after = new Date(Date.parse(certificate.validTo) + 1000);
      await expect(verifyEif(path, { at: after })).rejects.toMatchObject({ code: 'EIF_CERTIFICATE_EXPIRED' });
      const shown = (await describeEif(path)).SigningCertificate;
      expect([shown?.NotBefore, shown?.NotAfter]).toEqual([certificate.validFrom, certificate.validTo]);
      expect(Object.values(shown?.IssuerName ?? {}).sort()).toEqual(
        certificate.issuer
          .split('\n')
          .map((line) => line.slice(line.indexOf('=') + 1))
          .sort(),
      );
    }
  });
});
