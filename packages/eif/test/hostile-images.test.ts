import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readEif } from '@nitro-enclaves/eif';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readEif as readInBrowser } from '../src/index.ts';
import type { SyntheticHeader, SyntheticSection } from './synthetic-image.ts';
import {
  cmdline,
  kernel,
  METADATA,
  metadata,
  ramdisk,
  SECTIONS,
  syntheticImage,
  TYPE,
  withCrc,
} from './synthetic-image.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'eif-hostile-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function* stream(bytes: Uint8Array, pieceLength = 100): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceLength) yield bytes.slice(at, at + pieceLength);
}

/** What a reading ends in: the error's code, or nothing. */
async function outcome(reading: Promise<unknown>): Promise<unknown> {
  return reading.then(
    () => 'accepted',
    (error: unknown) => (error as { code?: unknown }).code ?? error,
  );
}

/** Every way to give an image must end alike. */
async function expectRefusal(image: Uint8Array, code: string, streamed = code): Promise<void> {
  const path = join(folder, 'image.eif');
  await writeFile(path, image);
  expect(await outcome(readEif(path))).toBe(code);
  expect(await outcome(readEif(image))).toBe(code);
  expect(await outcome(readInBrowser(image))).toBe(code);
  expect(await outcome(readInBrowser(new Blob([Buffer.from(image)])))).toBe(code);
  expect(await outcome(readEif(stream(image)))).toBe(streamed);
}

const section = (
  type: number,
  data: Uint8Array | string = '',
  rest: Partial<SyntheticSection> = {},
): SyntheticSection => ({
  type,
  data: Buffer.from(data),
  ...rest,
});
const FIRST = 548n;
const HUGE = 2n ** 40n;
const without = (...types: readonly number[]): SyntheticSection[] =>
  SECTIONS.filter(({ type }) => !types.includes(type));
const withField = (change: (value: Record<string, unknown>) => void): SyntheticSection[] => {
  const value = structuredClone(METADATA) as Record<string, unknown>;
  change(value);
  return [kernel(), cmdline(), metadata(value), ramdisk()];
};

type Case = [what: string, code: string, sections: readonly SyntheticSection[], header?: SyntheticHeader];

const CASES: readonly Case[] = [
  ['another magic', 'EIF_MAGIC', SECTIONS, { magic: '.EIF' }],
  ['version 1', 'EIF_VERSION', SECTIONS, { version: 1 }],
  ['version 5', 'EIF_VERSION', SECTIONS, { version: 5 }],
  ['version 0', 'EIF_VERSION', SECTIONS, { version: 0 }],
  ['an unknown header flag', 'EIF_HEADER_FLAGS', SECTIONS, { flags: 2 }],
  ['a known and an unknown header flag', 'EIF_HEADER_FLAGS', SECTIONS, { flags: 0x8001 }],
  ['a reserved field in use', 'EIF_HEADER_RESERVED', SECTIONS, { reserved: 1 }],
  ['an unused field in use', 'EIF_HEADER_UNUSED', SECTIONS, { unused: 1 }],
  ['memory beyond 2^53', 'EIF_INTEGER_RANGE', SECTIONS, { defaultMemory: 2n ** 53n }],
  ['CPUs beyond 2^53', 'EIF_INTEGER_RANGE', SECTIONS, { defaultCpus: 2n ** 64n - 1n }],
  ['no sections', 'EIF_SECTION_COUNT', [], { count: 0 }],
  ['one section', 'EIF_SECTION_COUNT', [kernel()], {}],
  [
    '33 sections',
    'EIF_SECTION_COUNT',
    [kernel(), cmdline(), metadata(), ...Array.from({ length: 30 }, (_, index) => ramdisk(`${index}`))],
  ],
  ['65535 sections', 'EIF_SECTION_COUNT', SECTIONS, { count: 65_535 }],
  ['fewer sections counted than there are', 'EIF_TABLE_UNUSED_ENTRY', SECTIONS, { count: 4 }],
  ['more sections counted than there are', 'EIF_TABLE_OVERLAP', SECTIONS, { count: 6 }],
  ['an offset behind the last section', 'EIF_TABLE_UNUSED_ENTRY', SECTIONS, { offsets: new Map([[31, 1n]]) }],
  ['a size behind the last section', 'EIF_TABLE_UNUSED_ENTRY', SECTIONS, { sizes: new Map([[5, 1n]]) }],
  ['a first section inside the header', 'EIF_TABLE_FIRST_OFFSET', SECTIONS, { offsets: new Map([[0, 0n]]) }],
  ['a first section further on', 'EIF_TABLE_FIRST_OFFSET', SECTIONS, { offsets: new Map([[0, FIRST + 1n]]) }],
  ['a section inside the one before', 'EIF_TABLE_OVERLAP', SECTIONS, { offsets: new Map([[1, FIRST + 12n]]) }],
  ['two sections at one place', 'EIF_TABLE_OVERLAP', SECTIONS, { offsets: new Map([[1, FIRST]]) }],
  ['a gap between sections', 'EIF_TABLE_GAP', SECTIONS, { offsets: new Map([[1, FIRST + 100n]]) }],
  ['an offset beyond 2^53', 'EIF_INTEGER_RANGE', SECTIONS, { offsets: new Map([[1, 2n ** 63n]]) }],
  ['a size beyond 2^53', 'EIF_INTEGER_RANGE', SECTIONS, { sizes: new Map([[4, 2n ** 64n - 1n]]) }],
  ['a size that ends beyond 2^53', 'EIF_INTEGER_RANGE', SECTIONS, { sizes: new Map([[4, 2n ** 53n - 2n]]) }],
  ['a table size that is too small', 'EIF_TABLE_GAP', SECTIONS, { sizes: new Map([[0, 5n]]) }],
  ['a table size that is too large', 'EIF_TABLE_OVERLAP', SECTIONS, { sizes: new Map([[0, 7n]]) }],
  [
    'a section header that says less than the table',
    'EIF_SECTION_SIZE_MISMATCH',
    [section(TYPE.kernel, 'kernel', { size: 5n }), ...SECTIONS.slice(1)],
  ],
  [
    'a section header that says gigabytes',
    'EIF_SECTION_SIZE_MISMATCH',
    [section(TYPE.kernel, 'kernel', { size: HUGE }), ...SECTIONS.slice(1)],
  ],
  [
    'a section header that says 2^64 - 1',
    'EIF_INTEGER_RANGE',
    [section(TYPE.kernel, 'kernel', { size: 2n ** 64n - 1n }), ...SECTIONS.slice(1)],
  ],
  [
    'a section boundary that has moved',
    'EIF_SECTION_SIZE_MISMATCH',
    [section(TYPE.kernel, 'kern', { size: 6n }), ...SECTIONS.slice(1)],
  ],
  ['section flags', 'EIF_SECTION_FLAGS', [section(TYPE.kernel, 'kernel', { flags: 1 }), ...SECTIONS.slice(1)]],
  ['a section of type 0', 'EIF_SECTION_TYPE_INVALID', [...SECTIONS, section(TYPE.invalid)]],
  ['a section of type 6', 'EIF_SECTION_TYPE_UNKNOWN', [...SECTIONS, section(6, 'x')]],
  ['a section of type 65535', 'EIF_SECTION_TYPE_UNKNOWN', [...SECTIONS, section(65_535, 'x')]],
  ['metadata in version 3', 'EIF_SECTION_TYPE_VERSION', SECTIONS, { version: 3 }],
  [
    'a signature in version 2',
    'EIF_SECTION_TYPE_VERSION',
    [kernel(), cmdline(), ramdisk(), section(4)],
    { version: 2 },
  ],
  ['no kernel', 'EIF_RAMDISK_BEFORE_KERNEL', without(TYPE.kernel)],
  ['no kernel and no ramdisk', 'EIF_KERNEL_MISSING', without(TYPE.kernel, TYPE.ramdisk)],
  ['two kernels', 'EIF_KERNEL_DUPLICATE', [kernel(), ...SECTIONS]],
  ['no command line', 'EIF_CMDLINE_MISSING', without(TYPE.cmdline)],
  ['two command lines', 'EIF_CMDLINE_DUPLICATE', [...SECTIONS, cmdline('init=/bin/sh')]],
  ['no ramdisk', 'EIF_RAMDISK_MISSING', without(TYPE.ramdisk)],
  ['a ramdisk before the kernel', 'EIF_RAMDISK_BEFORE_KERNEL', [ramdisk(), ...SECTIONS]],
  ['no metadata in version 4', 'EIF_METADATA_MISSING', without(TYPE.metadata)],
  ['two metadata sections', 'EIF_METADATA_DUPLICATE', [...SECTIONS, metadata()]],
  ['two signatures', 'EIF_SIGNATURE_DUPLICATE', [...SECTIONS, section(4), section(4)]],
  [
    'a command line of 65537 bytes',
    'EIF_CMDLINE_TOO_LARGE',
    [kernel(), cmdline('x'.repeat(65_537)), metadata(), ramdisk()],
  ],
  ['a signature of 32769 bytes', 'EIF_SIGNATURE_TOO_LARGE', [...SECTIONS, section(4, 'x'.repeat(32_769))]],
  [
    'metadata of more than 4 MiB',
    'EIF_METADATA_TOO_LARGE',
    [kernel(), cmdline(), metadata(' '.repeat(4 * 1024 * 1024 + 1)), ramdisk()],
  ],
  ['a NUL in the command line', 'EIF_CMDLINE_TEXT', [kernel(), cmdline('quiet\0init=/bin/sh'), metadata(), ramdisk()]],
  [
    'a command line that is not UTF-8',
    'EIF_CMDLINE_TEXT',
    [kernel(), section(TYPE.cmdline, Uint8Array.of(0xff)), metadata(), ramdisk()],
  ],
  [
    'metadata that are not UTF-8',
    'EIF_METADATA_TEXT',
    [kernel(), cmdline(), section(TYPE.metadata, Uint8Array.of(0x22, 0xc0, 0x22)), ramdisk()],
  ],
  ['empty metadata', 'EIF_METADATA_JSON', [kernel(), cmdline(), metadata(''), ramdisk()]],
  ['metadata with a byte order mark', 'EIF_METADATA_JSON', [kernel(), cmdline(), metadata('\ufeff{}'), ramdisk()]],
  ['metadata cut short', 'EIF_METADATA_JSON', [kernel(), cmdline(), metadata('{"ImageName":'), ramdisk()]],
  ['metadata with something behind', 'EIF_METADATA_JSON', [kernel(), cmdline(), metadata('{}{}'), ramdisk()]],
  [
    'metadata of 100000 levels',
    'EIF_METADATA_JSON',
    [kernel(), cmdline(), metadata('['.repeat(100_000) + ']'.repeat(100_000)), ramdisk()],
  ],
  [
    'a field of the metadata twice',
    'EIF_METADATA_DUPLICATE_KEY',
    [kernel(), cmdline(), metadata(JSON.stringify(METADATA).replace('{', '{"ImageName":"other",')), ramdisk()],
  ],
  [
    'a field of the metadata twice, once in escapes, deep inside',
    'EIF_METADATA_DUPLICATE_KEY',
    [kernel(), cmdline(), metadata('{"a":[{"b":{},"c":"\\"","\\u0062":"{"}]}'), ramdisk()],
  ],
  ['metadata that are an array', 'EIF_METADATA_FIELD', [kernel(), cmdline(), metadata([]), ramdisk()]],
  ['metadata that are null', 'EIF_METADATA_FIELD', [kernel(), cmdline(), metadata(null), ramdisk()]],
  ['metadata without a name', 'EIF_METADATA_FIELD', withField((value) => delete value['ImageName'])],
  ['metadata whose version is a number', 'EIF_METADATA_FIELD', withField((value) => (value['ImageVersion'] = 1))],
  ['metadata without a build', 'EIF_METADATA_FIELD', withField((value) => delete value['BuildMetadata'])],
  ['metadata without DockerInfo', 'EIF_METADATA_FIELD', withField((value) => delete value['DockerInfo'])],
  [
    'metadata that inherit their fields',
    'EIF_METADATA_FIELD',
    [kernel(), cmdline(), metadata(`{"__proto__":${JSON.stringify(METADATA)}}`), ramdisk()],
  ],
  ['a signature section that is empty', 'EIF_SIGNATURE_CBOR', [...SECTIONS, section(4)]],
  ['a signature section that is no array', 'EIF_SIGNATURE_CBOR', [...SECTIONS, section(4, Uint8Array.of(0xa0))]],
  ['a signature section of none', 'EIF_SIGNATURE_COUNT', [...SECTIONS, section(4, Uint8Array.of(0x80))]],
  ['a signature section of two', 'EIF_SIGNATURE_COUNT', [...SECTIONS, section(4, Uint8Array.of(0x82, 0xa0, 0xa0))]],
  ['a signature entry without fields', 'EIF_SIGNATURE_ENTRY', [...SECTIONS, section(4, Uint8Array.of(0x81, 0xa0))]],
  ['a signature entry that is a number', 'EIF_SIGNATURE_ENTRY', [...SECTIONS, section(4, Uint8Array.of(0x81, 0x00))]],
  ['a wrong CRC', 'EIF_CRC', SECTIONS, { crc: 1 }],
];

describe('a hostile image', () => {
  it.each(CASES)('with %s is refused: %s', async (_, code, sections, header) => {
    await expectRefusal(syntheticImage(sections, header), code);
  });

  it.each([0, 1, 4, 547])('that ends in the header, after %i bytes, is refused', async (length) => {
    await expectRefusal(syntheticImage().subarray(0, length), 'EIF_HEADER_TRUNCATED');
  });

  it('that ends before its table says is refused before anything of it is read', async () => {
    const image = syntheticImage();
    await expectRefusal(image.subarray(0, -1), 'EIF_TABLE_BEYOND_FILE', 'EIF_SECTION_TRUNCATED');
    const lastHeader = image.length - 'app'.length - 6;
    await expectRefusal(image.subarray(0, lastHeader), 'EIF_TABLE_BEYOND_FILE', 'EIF_SECTION_HEADER_TRUNCATED');
  });

  it('that announces a terabyte in a few bytes costs a few bytes', async () => {
    const sizes = new Map([[4, HUGE]]);
    const sections = [...SECTIONS.slice(0, 4), { ...ramdisk('app'), size: HUGE }];
    await expectRefusal(syntheticImage(sections, { sizes }), 'EIF_TABLE_BEYOND_FILE', 'EIF_SECTION_TRUNCATED');
  });

  it.each([1, 11, 12, 5000])('that goes on for %i bytes behind its last section is refused', async (count) => {
    await expectRefusal(Buffer.concat([syntheticImage(), Buffer.alloc(count)]), 'EIF_TRAILING_BYTES');
  });

  it('is refused even when the bytes behind are counted into the CRC', async () => {
    await expectRefusal(withCrc(Buffer.concat([syntheticImage(), Buffer.from('more')])), 'EIF_TRAILING_BYTES');
  });

  it('is refused for any one bit that is changed', async () => {
    const image = syntheticImage();
    await fc.assert(
      fc.asyncProperty(fc.nat(image.length * 8 - 1), async (bit) => {
        const changed = image.slice();
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(await outcome(readEif(changed))).toMatch(/^EIF_/);
      }),
      { numRuns: 500 },
    );
  });

  it('ends in an EifError or a whole reading, whatever its bytes', async () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 2000 }),
      fc
        .tuple(fc.nat(400), fc.uint8Array({ minLength: 1, maxLength: 40 }))
        .map(([at, patch]) =>
          withCrc(
            Buffer.concat([
              syntheticImage().subarray(0, 548 + at),
              patch,
              syntheticImage().subarray(548 + at + patch.length),
            ]),
          ),
        ),
    );
    await fc.assert(
      fc.asyncProperty(bytes, async (image) => {
        expect(await outcome(readEif(image))).toMatch(/^(EIF_|accepted)/);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ['a path of a folder', () => tmpdir(), 'EIF_SOURCE'],
    ['a number', () => 5 as unknown as string, 'EIF_SOURCE'],
    [
      'pieces of text',
      () =>
        (async function* () {
          yield 'x';
        })() as unknown as AsyncIterable<Uint8Array>,
      'EIF_SOURCE',
    ],
  ])('cannot come from %s', async (_, source, code) => {
    expect(await outcome(readEif(source()))).toBe(code);
  });
});

describe('an image', () => {
  it.each([
    ['of version 2', [kernel(), cmdline(), ramdisk()], { version: 2 }],
    ['of version 3', [kernel(), cmdline(), ramdisk()], { version: 3 }],
    ['for aarch64', SECTIONS, { flags: 1 }],
    ['with metadata last', [kernel(), cmdline(), ramdisk(), metadata()], {}],
    ['with the command line behind the ramdisks', [kernel(), ramdisk(), ramdisk(), metadata(), cmdline()], {}],
    ['with an empty command line', [kernel(), cmdline(''), metadata(), ramdisk()], {}],
    ['with an empty second ramdisk', [kernel(), cmdline(), metadata(), ramdisk(), ramdisk('')], {}],
    ['with 32 sections', [kernel(), cmdline(), metadata(), ...Array.from({ length: 29 }, () => ramdisk())], {}],
    ['with a NUL at the command line’s end', [kernel(), cmdline('quiet\0'), metadata(), ramdisk()], {}],
    ['with fields in its metadata that nobody knows', withField((value) => (value['Extra'] = { deep: [1] })), {}],
    [
      'with one key in several objects of its metadata',
      withField((value) => (value['Extra'] = [{ a: { a: 'a' } }, { a: '{"a":1,"a":2}' }, 'a'])),
      {},
    ],
    ['without CustomMetadata', withField((value) => delete value['CustomMetadata']), {}],
  ] as const)('%s is accepted from a path, bytes, a Blob and a stream alike', async (_, sections, header) => {
    const image = syntheticImage(sections, header);
    const path = join(folder, 'good.eif');
    await writeFile(path, image);
    const eif = await readEif(path);
    expect(eif.sections.map(({ size }) => size)).toEqual(sections.map(({ data }) => data.length));
    for (const source of [image, new Blob([image]), stream(image, 1), stream(image, 10_000)]) {
      expect(await readInBrowser(source)).toEqual(eif);
    }
  });

  it('stops being read when the signal is aborted, and tells its progress', async () => {
    const stop = new AbortController();
    const seen: number[] = [];
    const reading = readEif(syntheticImage(), {
      signal: stop.signal,
      onProgress: ({ done, total }) => {
        seen.push(done, total ?? -1);
        stop.abort(new Error('enough'));
      },
    });
    await expect(reading).rejects.toThrow('enough');
    expect(seen).toEqual([566, syntheticImage().length]);
  });
});
