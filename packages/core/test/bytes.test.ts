import { bytesEqual, concatBytes, constantTimeEqual, copyBytes, decodeHex, encodeHex } from '@nitro-enclaves/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

const bytes = fc.uint8Array({ maxLength: 64 });

describe('hexadecimal', () => {
  it('is what Buffer writes, and comes back from either case', () => {
    fc.assert(
      fc.property(bytes, (content) => {
        const text = encodeHex(content);
        expect(text).toBe(Buffer.from(content).toString('hex'));
        expect(decodeHex(text)).toEqual(content);
        expect(decodeHex(text.toUpperCase())).toEqual(content);
      }),
    );
  });

  it('is refused with an odd length, with anything but its digits, and never cut short', () => {
    for (const text of ['0', '0g', '0x00', '00 ', '0\n', 'zz', '００', '0 '])
      expect(() => decodeHex(text)).toThrow(RangeError);
  });
});

describe('comparing bytes', () => {
  for (const equal of [bytesEqual, constantTimeEqual]) {
    it(`${equal.name} holds for equal content only`, () => {
      fc.assert(
        fc.property(bytes, bytes, (left, right) => {
          expect(equal(left, left.slice())).toBe(true);
          expect(equal(left, right)).toBe(encodeHex(left) === encodeHex(right));
        }),
      );
    });

    it(`${equal.name} sees one changed bit anywhere, and a length that differs`, () => {
      const content = Uint8Array.from({ length: 48 }, (_, index) => index);
      for (let bit = 0; bit < 384; bit += 1) {
        const changed = content.slice();
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(equal(content, changed)).toBe(false);
      }
      expect(equal(content, content.subarray(0, 47))).toBe(false);
      expect(equal(content.subarray(0, 47), content)).toBe(false);
      expect(equal(Uint8Array.of(0), new Uint8Array(0))).toBe(false);
      expect(equal(new Uint8Array(0), Uint8Array.of(0))).toBe(false);
    });
  }
});

describe('copying and joining bytes', () => {
  it('gives a plain Uint8Array of its own, from a Buffer too', () => {
    const source = Buffer.from([1, 2, 3]);
    const copy = copyBytes(source);
    source.fill(0);
    expect(copy).toEqual(Uint8Array.of(1, 2, 3));
    expect(copy.constructor).toBe(Uint8Array);
    expect(copy.buffer.byteLength).toBe(3);
  });

  it('refuses what is no Uint8Array', () => {
    for (const wrong of [null, undefined, 3, '00', [1], new ArrayBuffer(1), new Uint16Array(1)]) {
      expect(() => copyBytes(wrong as unknown as Uint8Array)).toThrow(TypeError);
    }
  });

  it('joins in order', () => {
    fc.assert(
      fc.property(fc.array(bytes), (parts) => {
        expect(encodeHex(concatBytes(...parts))).toBe(parts.map(encodeHex).join(''));
      }),
    );
  });
});
