import type { CborKey, CborValue } from '@nitro-enclaves/core';
import { CborError, concatBytes, decodeCbor, encodeCbor } from '@nitro-enclaves/core';
import { Decoder, Encoder } from 'cbor-x';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cborValue } from './cbor-arbitrary.ts';

const OPTIONS = { mapsAsObjects: false, useRecords: false, tagUint8Array: false, variableMapSize: true };
const encoder = new Encoder(OPTIONS);

/** A decoder of its own for each input: cbor-x keeps state that a refused input can leave behind. */
const oracle = (bytes: Uint8Array): unknown => new Decoder(OPTIONS).decode(bytes);

/** cbor-x's values in our terms: its Buffers as Uint8Arrays, its bigints as numbers. */
function inOurTerms(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (Array.isArray(value)) return value.map(inOurTerms);
  if (value instanceof Map) return new Map(Array.from(value, ([key, item]) => [inOurTerms(key), inOurTerms(item)]));
  return value;
}

/** The same value with indefinite lengths wherever the profile allows them. */
function encodeIndefinite(value: CborValue): Uint8Array {
  const end = Uint8Array.of(0xff);
  if (Array.isArray(value)) return concatBytes(Uint8Array.of(0x9f), ...value.map(encodeIndefinite), end);
  if (!(value instanceof Map)) return encodeCbor(value);
  const items = Array.from(value, ([key, item]: [CborKey, CborValue]) => [encodeCbor(key), encodeIndefinite(item)]);
  return concatBytes(Uint8Array.of(0xbf), ...items.flat(), end);
}

describe('on common ground with cbor-x', () => {
  it('both decode what ours encodes to the same value', () => {
    fc.assert(
      fc.property(cborValue, (value) => {
        const encoded = encodeCbor(value);
        expect(inOurTerms(oracle(encoded))).toEqual(decodeCbor(encoded));
      }),
    );
  });

  it('both decode indefinite lengths to the same value', () => {
    fc.assert(
      fc.property(cborValue, (value) => {
        const encoded = encodeIndefinite(value);
        expect(decodeCbor(encoded)).toEqual(value);
        expect(inOurTerms(oracle(encoded))).toEqual(value);
      }),
    );
  });

  it('ours decodes what cbor-x encodes, where it keeps to shortest forms', () => {
    const plain = fc.letrec<{ value: CborValue }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.integer(),
        fc.string({ unit: 'grapheme' }),
        fc.uint8Array({ maxLength: 70_000, size: 'max' }).map((bytes) => bytes.subarray(0, 300)),
        fc.constantFrom(true, false, null, undefined),
        fc.array(tie('value'), { maxLength: 30 }),
        fc.array(fc.tuple(fc.string(), tie('value')), { maxLength: 30 }).map((entries) => new Map(entries)),
      ),
    })).value;
    fc.assert(
      fc.property(plain, (value) => {
        expect(decodeCbor(new Uint8Array(encoder.encode(value)))).toEqual(value);
      }),
    );
  });

  it('whatever ours accepts of any bytes, cbor-x reads as the same value', () => {
    const spoiled = fc.tuple(cborValue, fc.nat(), fc.nat({ max: 255 })).map(([value, at, byte]) => {
      const encoded = encodeCbor(value);
      encoded[at % encoded.length] = byte;
      return encoded;
    });
    fc.assert(
      fc.property(fc.oneof(spoiled, fc.uint8Array({ maxLength: 64 })), (bytes) => {
        let value: CborValue;
        try {
          value = decodeCbor(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(CborError);
          return;
        }
        expect(inOurTerms(oracle(bytes))).toEqual(value);
      }),
      { numRuns: 3000 },
    );
  });
});

describe('where cbor-x is lenient', () => {
  it('it takes the last of two equal keys, ours refuses both', () => {
    const twice = concatBytes(
      Uint8Array.of(0xa2),
      encodeCbor('a'),
      Uint8Array.of(1),
      encodeCbor('a'),
      Uint8Array.of(2),
    );
    expect(oracle(twice)).toEqual(new Map([['a', 2]]));
    expect(() => decodeCbor(twice)).toThrow(expect.objectContaining({ code: 'CBOR_DUPLICATE_KEY' }));
  });

  it('it takes longer forms, ours refuses them', () => {
    expect(oracle(Uint8Array.of(0x18, 1))).toBe(1);
    expect(() => decodeCbor(Uint8Array.of(0x18, 1))).toThrow(expect.objectContaining({ code: 'CBOR_NOT_SHORTEST' }));
  });
});
