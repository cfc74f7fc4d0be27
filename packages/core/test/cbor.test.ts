import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CborErrorCode, CborInput } from '@nitro-enclaves/core';
import {
  CborError,
  concatBytes,
  decodeCbor,
  decodeHex,
  encodeCbor,
  encodeHex,
  NitroEnclavesError,
} from '@nitro-enclaves/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { APPENDIX_A } from './appendix-a.ts';
import { cborValue } from './cbor-arbitrary.ts';

function codeOf(work: () => unknown): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof CborError) return error.code;
    throw error;
  }
}

const refusal = (hex: string, options = {}) => codeOf(() => decodeCbor(decodeHex(hex), options));

/** A string, array or map head of any type with its count in the longest form. */
const head = (majorType: number, count: string) => `${(majorType * 32 + 27).toString(16)}${count.padStart(16, '0')}`;

describe('decoding RFC 8949 appendix A', () => {
  for (const [hex, expected] of APPENDIX_A) {
    if ('value' in expected) {
      it(`accepts ${hex}`, () => expect(decodeCbor(decodeHex(hex))).toEqual(expected.value));
    } else {
      it(`refuses ${hex} as ${expected.refused}`, () => expect(refusal(hex)).toBe(expected.refused));
    }
  }

  const file = join(process.env['NITRO_VECTORS'] ?? '', 'conformance', 'appendix_a.json');
  it.skipIf(!existsSync(file))('leaves out none of the published examples (set NITRO_VECTORS to compare)', () => {
    const published: { hex: string }[] = JSON.parse(readFileSync(file, 'utf8'));
    const ours = new Set(APPENDIX_A.map(([hex]) => hex));
    expect(published.filter(({ hex }) => !ours.has(hex))).toEqual([]);
  });
});

const REFUSED: readonly [name: string, hex: string, code: CborErrorCode][] = [
  ['nothing', '', 'CBOR_TRUNCATED'],
  ['an integer cut off', '1903', 'CBOR_TRUNCATED'],
  ['a string shorter than its length', '4401', 'CBOR_TRUNCATED'],
  ['a text shorter than its length', '6361', 'CBOR_TRUNCATED'],
  ['an array that ends early', '8201', 'CBOR_TRUNCATED'],
  ['a map that ends before a value', 'a16161', 'CBOR_TRUNCATED'],
  ['an indefinite array without its break', '9f01', 'CBOR_TRUNCATED'],
  ['an indefinite map without its break', 'bf0102', 'CBOR_TRUNCATED'],
  ['a second item', '0000', 'CBOR_TRAILING_BYTES'],
  ['a break after a whole item', '80ff', 'CBOR_TRAILING_BYTES'],
  ['23 in two bytes', '1817', 'CBOR_NOT_SHORTEST'],
  ['255 in three bytes', '1900ff', 'CBOR_NOT_SHORTEST'],
  ['65535 in five bytes', '1a0000ffff', 'CBOR_NOT_SHORTEST'],
  ['2^32 - 1 in nine bytes', '1b00000000ffffffff', 'CBOR_NOT_SHORTEST'],
  ['-24 in two bytes', '3817', 'CBOR_NOT_SHORTEST'],
  ['the length of a byte string in a longer form', '580100', 'CBOR_NOT_SHORTEST'],
  ['the length of a text in a longer form', '780161', 'CBOR_NOT_SHORTEST'],
  ['the count of an array in a longer form', '980100', 'CBOR_NOT_SHORTEST'],
  ['the count of a map in a longer form', 'b8010000', 'CBOR_NOT_SHORTEST'],
  ['2^53', '1b0020000000000000', 'CBOR_INTEGER_RANGE'],
  ['-2^53', '3b001fffffffffffff', 'CBOR_INTEGER_RANGE'],
  ['reserved additional information 28', '1c', 'CBOR_RESERVED_INFORMATION'],
  ['reserved additional information 29 of a string', '5d', 'CBOR_RESERVED_INFORMATION'],
  ['reserved additional information 30 of a map', 'be', 'CBOR_RESERVED_INFORMATION'],
  ['reserved additional information of a simple value', 'fc', 'CBOR_RESERVED_INFORMATION'],
  ['an integer of indefinite length', '1f', 'CBOR_RESERVED_INFORMATION'],
  ['a byte string in chunks', '5f4100ff', 'CBOR_INDEFINITE_STRING'],
  ['a text in chunks', '7f6161ff', 'CBOR_INDEFINITE_STRING'],
  ['a text in chunks as a key', 'bf7f6161ff01ff', 'CBOR_INDEFINITE_STRING'],
  ['text that is no UTF-8', '61ff', 'CBOR_UTF8'],
  ['an overlong form in UTF-8', '62c080', 'CBOR_UTF8'],
  ['a surrogate in UTF-8', '63eda080', 'CBOR_UTF8'],
  ['a text key twice', 'a2616101616102', 'CBOR_DUPLICATE_KEY'],
  ['a text key twice in an indefinite map', 'bf616101616102ff', 'CBOR_DUPLICATE_KEY'],
  ['an integer key twice', 'a201000100', 'CBOR_DUPLICATE_KEY'],
  ['a key twice deep inside', '8181a220002000', 'CBOR_DUPLICATE_KEY'],
  ['a byte string as a key', 'a1410000', 'CBOR_KEY_TYPE'],
  ['an array as a key', 'a18000', 'CBOR_KEY_TYPE'],
  ['null as a key', 'a1f600', 'CBOR_KEY_TYPE'],
  ['true as a key', 'a1f500', 'CBOR_KEY_TYPE'],
  ['a tag inside', '81c100', 'CBOR_TAG'],
  ['a tag before a key', 'a1c16000', 'CBOR_TAG'],
  ['a float inside', '81f93c00', 'CBOR_FLOAT'],
  ['a simple value inside', '81e0', 'CBOR_SIMPLE_VALUE'],
  ['a break alone', 'ff', 'CBOR_UNEXPECTED_BREAK'],
  ['a break in a definite array', '81ff', 'CBOR_UNEXPECTED_BREAK'],
  ['a break for the value of a key', 'bf01ff', 'CBOR_UNEXPECTED_BREAK'],
  ['nine levels of arrays', `${'81'.repeat(9)}00`, 'CBOR_TOO_DEEP'],
  ['nine levels of indefinite arrays', `${'9f'.repeat(9)}${'ff'.repeat(9)}`, 'CBOR_TOO_DEEP'],
  ['nine levels of maps', `${'a100'.repeat(9)}00`, 'CBOR_TOO_DEEP'],
  ['more elements than the limit', '9a00010000', 'CBOR_TOO_MANY_ITEMS'],
  ['more elements than the limit, in an indefinite array', `9f${'00'.repeat(4097)}ff`, 'CBOR_TOO_MANY_ITEMS'],
  ['more empty arrays than the limit', `9f${'80'.repeat(4097)}ff`, 'CBOR_TOO_MANY_ITEMS'],
  ['an array of 2^53 - 1', head(4, '1fffffffffffff'), 'CBOR_TOO_MANY_ITEMS'],
  ['a map of 2^53 - 1', head(5, '1fffffffffffff'), 'CBOR_TOO_MANY_ITEMS'],
  ['a byte string of 2^53 - 1', head(2, '1fffffffffffff'), 'CBOR_TRUNCATED'],
  ['a text of 2^53 - 1', head(3, '1fffffffffffff'), 'CBOR_TRUNCATED'],
  ['more bytes than the limit', '00'.repeat(65_537), 'CBOR_TOO_LARGE'],
];

describe('decoding CBOR', () => {
  for (const [name, hex, code] of REFUSED) {
    it(`refuses ${name} as ${code}`, () => expect(refusal(hex)).toBe(code));
  }

  it('accepts eight levels, 4096 items and 65 536 bytes', () => {
    expect(refusal(`${'81'.repeat(8)}00`)).toBeUndefined();
    expect(refusal(`9f${'00'.repeat(4095)}ff`)).toBeUndefined();
    expect(decodeCbor(encodeCbor(new Uint8Array(65_533)))).toHaveLength(65_533);
  });

  it('takes other limits from its caller', () => {
    expect(refusal('818100', { maxDepth: 1 })).toBe('CBOR_TOO_DEEP');
    expect(refusal('820000', { maxItems: 2 })).toBe('CBOR_TOO_MANY_ITEMS');
    expect(refusal('820000', { maxBytes: 2 })).toBe('CBOR_TOO_LARGE');
    expect(refusal(`${'81'.repeat(60)}00`, { maxDepth: 60 })).toBeUndefined();
  });

  it('counts the elements of one array against what is left of the limit', () => {
    expect(refusal('828000', { maxItems: 3 })).toBeUndefined();
    expect(refusal('82820000820000', { maxItems: 6 })).toBe('CBOR_TOO_MANY_ITEMS');
  });

  it('takes the one tag that was asked for, before the outermost item only', () => {
    expect(decodeCbor(decodeHex('d280'), { rootTag: 18 })).toEqual([]);
    expect(decodeCbor(decodeHex('80'), { rootTag: 18 })).toEqual([]);
    expect(refusal('d180', { rootTag: 18 })).toBe('CBOR_TAG');
    expect(refusal('d2d280', { rootTag: 18 })).toBe('CBOR_TAG');
    expect(refusal('81d280', { rootTag: 18 })).toBe('CBOR_TAG');
    expect(refusal('d81280', { rootTag: 18 })).toBe('CBOR_TAG');
    expect(refusal('d280')).toBe('CBOR_TAG');
  });

  it('gives maps as Maps, so that __proto__ is a key like any other', () => {
    const map = decodeCbor(
      encodeCbor(
        new Map([
          ['__proto__', 1],
          ['constructor', 2],
        ]),
      ),
    );
    expect(map).toEqual(
      new Map([
        ['__proto__', 1],
        ['constructor', 2],
      ]),
    );
    expect(Object.getPrototypeOf(map)).toBe(Map.prototype);
  });

  it('tells the key 1 from the key "1"', () => {
    expect(decodeCbor(decodeHex('a20100613101'))).toEqual(
      new Map<number | string, number>([
        [1, 0],
        ['1', 1],
      ]),
    );
  });

  it('keeps a byte order mark, as part of a key too', () => {
    const map = new Map([
      ['\ufeffa', 1],
      ['a', 2],
    ]);
    expect(decodeCbor(encodeCbor(map))).toEqual(map);
  });

  it('copies byte strings: later writes to the input, a Buffer too, change nothing', () => {
    for (const input of [decodeHex('43010203'), Buffer.from('43010203', 'hex')]) {
      const value = decodeCbor(input);
      input.fill(0xff);
      expect(value).toEqual(Uint8Array.of(1, 2, 3));
      expect(value?.constructor).toBe(Uint8Array);
    }
  });

  it('says where the fault is, and never quotes a long key whole', () => {
    const key = 'k'.repeat(1000);
    const twice = concatBytes(
      Uint8Array.of(0xa2),
      encodeCbor(key),
      Uint8Array.of(0),
      encodeCbor(key),
      Uint8Array.of(0),
    );
    try {
      decodeCbor(twice);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(NitroEnclavesError);
      expect(error).toMatchObject({ code: 'CBOR_DUPLICATE_KEY', name: 'CborError', offset: 1005 });
      expect((error as Error).message.length).toBeLessThan(120);
    }
  });

  it('keeps what the UTF-8 decoder said as the cause', () => {
    expect(() => decodeCbor(decodeHex('61ff'))).toThrow(expect.objectContaining({ cause: expect.any(TypeError) }));
  });

  it('tells a caller who passes no bytes so', () => {
    for (const wrong of ['a0', [0xa0], new ArrayBuffer(1), null, undefined, 1_000_000_000]) {
      expect(() => decodeCbor(wrong as unknown as Uint8Array)).toThrow(TypeError);
    }
  });
});

describe('encoding CBOR', () => {
  it('writes the shortest form of every integer', () => {
    const edges: [number, string][] = [
      [0, '00'],
      [23, '17'],
      [24, '1818'],
      [255, '18ff'],
      [256, '190100'],
      [65_535, '19ffff'],
      [65_536, '1a00010000'],
      [4_294_967_295, '1affffffff'],
      [4_294_967_296, '1b0000000100000000'],
      [Number.MAX_SAFE_INTEGER, '1b001fffffffffffff'],
      [-1, '20'],
      [-24, '37'],
      [-25, '3818'],
      [-4_294_967_297, '3b0000000100000000'],
      [Number.MIN_SAFE_INTEGER, '3b001ffffffffffffe'],
    ];
    expect(edges.map(([number]) => encodeHex(encodeCbor(number)))).toEqual(edges.map(([, hex]) => hex));
  });

  it('sorts keys by their encoded bytes (RFC 8949 §4.2.1)', () => {
    const keys = ['aa', 'z', '', 100, -1, 10];
    const map = new Map(keys.map((key) => [key, 0]));
    expect([...(decodeCbor(encodeCbor(map)) as Map<unknown, unknown>).keys()]).toEqual([10, 100, -1, '', 'z', 'aa']);
  });

  it('refuses what the profile does not have', () => {
    const unsupported: unknown[] = [
      1.5,
      -0,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      2 ** 53,
      1n,
      Symbol('s'),
      () => 0,
      {},
    ];
    unsupported.push(new Date(0), new Set([1]), new ArrayBuffer(1), new Uint16Array(1), '\ud800', 'a\udfff', [1, 0.5]);
    unsupported.push(new Map([[null, 1]]), new Map([[Uint8Array.of(1), 1]]), new Map([['\ud800', 1]]));
    for (const value of unsupported)
      expect(codeOf(() => encodeCbor(value as CborInput))).toBe('CBOR_UNSUPPORTED_VALUE');
  });

  it('refuses a value that contains itself', () => {
    const endless: CborInput[] = [];
    endless.push(endless);
    expect(codeOf(() => encodeCbor(endless))).toBe('CBOR_TOO_DEEP');
  });

  it('writes arrays of any length', () => {
    const long = Array.from({ length: 300_000 }, (_, index) => index % 24);
    expect(encodeCbor(long)).toHaveLength(300_005);
  });

  it('copies: later writes to a byte string change nothing', () => {
    const content = Uint8Array.of(1, 2);
    const encoded = encodeCbor(content);
    content.fill(9);
    expect(encodeHex(encoded)).toBe('420102');
  });
});

describe('CBOR of any value of the profile', () => {
  it('decodes to what was encoded', () => {
    fc.assert(
      fc.property(cborValue, (value) => {
        expect(decodeCbor(encodeCbor(value))).toEqual(value);
      }),
    );
  });

  it('is the same bytes whatever the order of the keys', () => {
    const entries = fc.uniqueArray(fc.tuple(fc.oneof(fc.string(), fc.integer()), cborValue), {
      selector: ([key]) => key,
    });
    fc.assert(
      fc.property(entries, (list) => {
        expect(encodeCbor(new Map(list.toReversed()))).toEqual(encodeCbor(new Map(list)));
      }),
    );
  });

  it('is refused when any of its end is missing', () => {
    fc.assert(
      fc.property(cborValue, fc.nat(), (value, cut) => {
        const encoded = encodeCbor(value);
        const code = codeOf(() => decodeCbor(encoded.subarray(0, cut % encoded.length)));
        expect(['CBOR_TRUNCATED', 'CBOR_UTF8']).toContain(code);
      }),
    );
  });

  it('is refused when anything follows', () => {
    fc.assert(
      fc.property(cborValue, fc.uint8Array({ minLength: 1, maxLength: 8 }), (value, extra) => {
        expect(codeOf(() => decodeCbor(concatBytes(encodeCbor(value), extra)))).toBe('CBOR_TRAILING_BYTES');
      }),
    );
  });
});

describe('any bytes at all', () => {
  it('give a value that encodes and decodes to itself, or a CborError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        if (codeOf(() => decodeCbor(bytes)) !== undefined) return;
        const value = decodeCbor(bytes);
        expect(decodeCbor(encodeCbor(value))).toEqual(value);
      }),
      { numRuns: 2000 },
    );
  });
});
