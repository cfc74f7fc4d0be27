import { DerError, DerReader, decodeHex, encodeHex } from '@nitro-enclaves/core';
import { fromBER, Integer, ObjectIdentifier } from 'asn1js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

const reader = (hex: string) => new DerReader(decodeHex(hex));

function codeOf(work: () => unknown): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof DerError) return error.code;
    throw error;
  }
}

/** An element with `tag` around `content`, its length of one byte. */
function element(tag: string, content: string): string {
  return tag + (content.length / 2).toString(16).padStart(2, '0') + content;
}

const ascii = (text: string) => encodeHex(new TextEncoder().encode(text));

describe('reading an element', () => {
  it('gives the whole, the content and the tag', () => {
    const { tag, whole, content } = reader('0203010203ff').read(0x02);
    expect([tag, encodeHex(whole), encodeHex(content)]).toEqual([0x02, '0203010203', '010203']);
  });

  it('takes lengths of one to four bytes', () => {
    for (const [head, length] of [
      ['047f', 127],
      ['048180', 128],
      ['0481ff', 255],
      ['04820100', 256],
      ['0483010000', 65_536],
    ] as const) {
      expect(reader(head + '00'.repeat(length)).read(0x04).content).toHaveLength(length);
    }
  });

  for (const [name, hex, code] of [
    ['nothing', '', 'DER_TRUNCATED'],
    ['a tag alone', '04', 'DER_TRUNCATED'],
    ['a length cut off', '0482', 'DER_TRUNCATED'],
    ['a content cut off', '040200', 'DER_TRUNCATED'],
    ['an indefinite length', '04800000', 'DER_LENGTH'],
    ['a reserved length', '04ff', 'DER_LENGTH'],
    ['a length of five bytes', '04850000000001', 'DER_LENGTH'],
    ['127 in the long form', `04817f${'00'.repeat(127)}`, 'DER_LENGTH'],
    ['255 in two bytes', `048200ff${'00'.repeat(255)}`, 'DER_LENGTH'],
    ['a length of 4 GiB', '0484ffffffff', 'DER_TRUNCATED'],
    ['another tag', '050100', 'DER_TAG'],
    ['the same tag constructed', '240100', 'DER_TAG'],
  ] as const) {
    it(`refuses ${name} as ${code}`, () => expect(codeOf(() => reader(hex).read(0x04))).toBe(code));
  }

  it('refuses tags of several bytes', () => {
    expect(codeOf(() => reader('1f8101').readAny())).toBe('DER_TAG');
    expect(codeOf(() => reader('').readAny())).toBe('DER_TRUNCATED');
  });

  it('refuses what is left over', () => {
    const twice = reader('05000500');
    twice.read(0x05);
    expect(() => twice.expectEnd()).toThrow(expect.objectContaining({ code: 'DER_TRAILING_BYTES', offset: 2 }));
    twice.read(0x05);
    expect(codeOf(() => twice.expectEnd())).toBeUndefined();
  });

  it('reads an optional element only when it is there', () => {
    const two = reader('a0000500');
    expect(two.readOptional(0xa1)).toBeUndefined();
    expect(two.readOptional(0xa0)?.content).toHaveLength(0);
    expect(two.peekTag()).toBe(0x05);
  });

  it('keeps what is inside an element inside it', () => {
    const outer = reader('3002050005000500');
    const inner = outer.enter(0x30);
    inner.read(0x05);
    expect(codeOf(() => inner.read(0x05))).toBe('DER_TRUNCATED');
  });
});

describe('an INTEGER', () => {
  for (const [name, content, code] of [
    ['no content', '', 'DER_INTEGER'],
    ['a leading zero too many', '0001', 'DER_INTEGER'],
    ['a leading ff too many', 'ff80', 'DER_INTEGER'],
  ] as const) {
    it(`with ${name} is refused`, () => expect(codeOf(() => reader(element('02', content)).readInteger())).toBe(code));
  }

  it('has its shortest form', () => {
    for (const content of ['00', '01', '7f', '0080', '80', 'ff7f', 'ff']) {
      expect(encodeHex(reader(element('02', content)).readInteger())).toBe(content);
    }
  });

  it('is what asn1js writes', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 130n), max: 2n ** 130n }), (number) => {
        const encoded = new Uint8Array(Integer.fromBigInt(number).toBER());
        const content = new DerReader(encoded).readInteger();
        expect(BigInt.asIntN(content.length * 8, BigInt(`0x${encodeHex(content)}`))).toBe(number);
      }),
    );
  });

  it('is small from 0 to 2^31 - 1', () => {
    expect(reader('020100').readSmallInteger()).toBe(0);
    expect(reader('02047fffffff').readSmallInteger()).toBe(2 ** 31 - 1);
    for (const hex of ['0201ff', '02050080000000', '02050100000000']) {
      expect(codeOf(() => reader(hex).readSmallInteger())).toBe('DER_INTEGER');
    }
  });
});

describe('a BOOLEAN whose default is FALSE', () => {
  it('is absent or ff', () => {
    expect(reader('0500').readBooleanDefaultFalse()).toBe(false);
    expect(reader('').readBooleanDefaultFalse()).toBe(false);
    expect(reader('0101ff').readBooleanDefaultFalse()).toBe(true);
  });

  it('is refused as FALSE written out, as another byte, and in another length', () => {
    expect(codeOf(() => reader('010100').readBooleanDefaultFalse())).toBe('DER_DEFAULT_ENCODED');
    for (const hex of ['010101', '0100', '0102ffff']) {
      expect(codeOf(() => reader(hex).readBooleanDefaultFalse())).toBe('DER_BOOLEAN');
    }
  });
});

describe('a BIT STRING', () => {
  it('tells its unused bits', () => {
    expect(reader('03020780').readBitString()).toEqual({ unusedBits: 7, bytes: Uint8Array.of(0x80) });
    expect(reader('030100').readBitString()).toEqual({ unusedBits: 0, bytes: new Uint8Array(0) });
  });

  it('is refused without its count, with a count over 7, without bytes to leave bits in, with unused bits that are set', () => {
    for (const hex of ['0300', '03020800', '030101', '03020781', '030201ff']) {
      expect(codeOf(() => reader(hex).readBitString())).toBe('DER_BIT_STRING');
    }
  });
});

describe('an OBJECT IDENTIFIER', () => {
  for (const [content, text] of [
    ['550413', '2.5.4.19'],
    ['2a8648ce3d040303', '1.2.840.10045.4.3.3'],
    ['00', '0.0'],
    ['27', '0.39'],
    ['28', '1.0'],
    ['4f', '1.39'],
    ['50', '2.0'],
    ['8837', '2.999'],
    ['2a87ffffff7f', '1.2.2147483647'],
  ] as const) {
    it(`of ${content} is ${text}`, () => expect(reader(element('06', content)).readObjectIdentifier()).toBe(text));
  }

  for (const [name, content] of [
    ['no content', ''],
    ['an arc padded in front', '2a8001'],
    ['a first arc padded in front', '8037'],
    ['an arc without its end', '2a86'],
    ['an arc over 31 bits', '2a8880808000'],
    ['an arc that would wrap round to another', '2a908080808080808080800a'],
  ] as const) {
    it(`with ${name} is refused`, () => {
      expect(codeOf(() => reader(element('06', content)).readObjectIdentifier())).toBe('DER_OBJECT_IDENTIFIER');
    });
  }

  it('is what asn1js reads', () => {
    const arcs = fc.tuple(
      fc.integer({ min: 0, max: 2 }),
      fc.integer({ min: 0, max: 39 }),
      fc.array(fc.nat(), { maxLength: 8 }),
    );
    fc.assert(
      fc.property(arcs, ([first, second, rest]) => {
        const text = [first, second, ...rest].join('.');
        expect(
          new DerReader(new Uint8Array(new ObjectIdentifier({ value: text }).toBER())).readObjectIdentifier(),
        ).toBe(text);
      }),
    );
  });
});

describe('a Time', () => {
  const utc = (text: string) => element('17', ascii(text));
  const general = (text: string) => element('18', ascii(text));

  for (const [hex, iso] of [
    [utc('260101120000Z'), '2026-01-01T12:00:00.000Z'],
    [utc('500101000000Z'), '1950-01-01T00:00:00.000Z'],
    [utc('491231235959Z'), '2049-12-31T23:59:59.000Z'],
    [utc('240229000000Z'), '2024-02-29T00:00:00.000Z'],
    [general('20500101000000Z'), '2050-01-01T00:00:00.000Z'],
    [general('99991231235959Z'), '9999-12-31T23:59:59.000Z'],
  ] as const) {
    it(`of ${hex.slice(0, 2)} is ${iso}`, () => expect(new Date(reader(hex).readTime()).toISOString()).toBe(iso));
  }

  for (const [name, hex] of [
    ['no seconds', utc('2601011200Z')],
    ['an offset', utc('260101120000+0000')],
    ['no Z', utc('260101120000')],
    ['a small z', utc('260101120000z')],
    ['a fraction', general('20500101000000.5Z')],
    ['the year in two digits as GeneralizedTime', general('500101000000Z')],
    ['the year in four digits as UTCTime', utc('20500101000000Z')],
    ['GeneralizedTime before 2050', general('20491231235959Z')],
    ['a 30 February', utc('260230000000Z')],
    ['a 29 February of no leap year', utc('250229000000Z')],
    ['month 0', utc('260001000000Z')],
    ['month 13', utc('261301000000Z')],
    ['day 0', utc('260100000000Z')],
    ['hour 24', utc('260101240000Z')],
    ['minute 60', utc('260101006000Z')],
    ['second 60', utc('260101000060Z')],
    ['a letter', utc('26010112000oZ')],
    ['digits that are not ASCII', utc('２60101120000Z')],
    ['nothing', element('17', '')],
  ] as const) {
    it(`with ${name} is refused`, () => expect(codeOf(() => reader(hex).readTime())).toBe('DER_TIME'));
  }

  it('of another tag is refused', () => expect(codeOf(() => reader('0500').readTime())).toBe('DER_TAG'));
});

describe('any bytes at all', () => {
  /** Reads every element, constructed ones from the inside. */
  function walk(bytes: Uint8Array): void {
    const elements = new DerReader(bytes);
    while (elements.peekTag() !== undefined) {
      const { tag, content } = elements.readAny();
      if ((tag & 0x20) !== 0) walk(content);
    }
  }

  it('are read as asn1js reads them, or refused with a DerError', () => {
    const inner = fc.uint8Array({ maxLength: 12 });
    const nested = fc.array(fc.tuple(fc.constantFrom(0x02, 0x04, 0x05, 0x30, 0x31, 0xa0), inner), { maxLength: 4 });
    const built = nested.map((elements) => {
      const content = elements.flatMap(([tag, bytes]) => [tag, bytes.length, ...bytes]);
      return Uint8Array.of(0x30, content.length, ...content);
    });
    fc.assert(
      fc.property(fc.oneof(built, fc.uint8Array({ maxLength: 60 })), (bytes) => {
        if (codeOf(() => walk(bytes)) !== undefined || bytes.length === 0) return;
        const first = new DerReader(bytes).readAny();
        const oracle = fromBER(first.whole.slice());
        if (first.tag === 0x30) expect(oracle.offset).toBe(first.whole.length);
      }),
      { numRuns: 2000 },
    );
  });
});
