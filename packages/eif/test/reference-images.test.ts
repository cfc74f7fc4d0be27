import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { measureEif, readEif } from '@nitro-enclaves/eif';
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
    readonly metadata: { readonly ImageName: string; readonly DockerInfo: unknown };
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
});
