import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from '../src/canonical-json.ts';

describe('canonical JSON', () => {
  it('says the same, whatever the order of keys', () => {
    const value = fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue({ maxDepth: 3 }));
    fc.assert(
      fc.property(value, (object) => {
        const reversed = Object.fromEntries(Object.entries(object).reverse());
        expect(canonicalJson(reversed)).toBe(canonicalJson(object));
        expect(JSON.parse(canonicalJson(object))).toEqual(JSON.parse(JSON.stringify(object)));
      }),
    );
  });

  it('sorts by UTF-16 and writes numbers as ECMAScript does (RFC 8785, sections 3.2.2 and 3.2.3)', () => {
    const value = JSON.parse(
      '{"\\u20ac":1,"\\r":2,"\\ufb33":3,"1":4,"\\ud83d\\ude00":5,"\\u0080":6,"\\u00f6":[1E30,4.50,2e-3,-0]}',
    );
    expect(canonicalJson(value)).toBe('{"\\r":2,"1":4,"\u0080":6,"ö":[1e+30,4.5,0.002,0],"€":1,"😀":5,"\ufb33":3}');
  });

  it.each([
    ['lone surrogates', '\ud800'],
    ['lone surrogates in names', { '\udc00': 1 }],
    ['what JSON has not', undefined],
    ['numbers that JSON has not', [Number.NaN]],
    ['too many levels', JSON.parse(`${'['.repeat(100)}${']'.repeat(100)}`)],
  ])('refuses %s', (_, value) => {
    expect(() => canonicalJson(value)).toThrow(expect.objectContaining({ code: 'REQUEST_MALFORMED' }));
  });
});
