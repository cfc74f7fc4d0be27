import type { CborErrorCode, CborValue } from '@nitro-enclaves/core';

/** An example of RFC 8949 appendix A: the value where the profile has it, the code where the profile refuses it. */
export type Example = readonly [hex: string, expected: { value: CborValue } | { refused: CborErrorCode }];

const value = (expected: CborValue) => ({ value: expected });
const refused = (code: CborErrorCode) => ({ refused: code });
const bytes = (...content: number[]) => Uint8Array.of(...content);
const upTo25 = Array.from({ length: 25 }, (_, index) => index + 1);

/** All of appendix A, in its order. */
export const APPENDIX_A: readonly Example[] = [
  ['00', value(0)],
  ['01', value(1)],
  ['0a', value(10)],
  ['17', value(23)],
  ['1818', value(24)],
  ['1819', value(25)],
  ['1864', value(100)],
  ['1903e8', value(1000)],
  ['1a000f4240', value(1_000_000)],
  ['1b000000e8d4a51000', value(1_000_000_000_000)],
  ['1bffffffffffffffff', refused('CBOR_INTEGER_RANGE')],
  ['c249010000000000000000', refused('CBOR_TAG')],
  ['3bffffffffffffffff', refused('CBOR_INTEGER_RANGE')],
  ['c349010000000000000000', refused('CBOR_TAG')],
  ['20', value(-1)],
  ['29', value(-10)],
  ['3863', value(-100)],
  ['3903e7', value(-1000)],
  ['f90000', refused('CBOR_FLOAT')],
  ['f98000', refused('CBOR_FLOAT')],
  ['f93c00', refused('CBOR_FLOAT')],
  ['fb3ff199999999999a', refused('CBOR_FLOAT')],
  ['f93e00', refused('CBOR_FLOAT')],
  ['f97bff', refused('CBOR_FLOAT')],
  ['fa47c35000', refused('CBOR_FLOAT')],
  ['fa7f7fffff', refused('CBOR_FLOAT')],
  ['fb7e37e43c8800759c', refused('CBOR_FLOAT')],
  ['f90001', refused('CBOR_FLOAT')],
  ['f90400', refused('CBOR_FLOAT')],
  ['f9c400', refused('CBOR_FLOAT')],
  ['fbc010666666666666', refused('CBOR_FLOAT')],
  ['f97c00', refused('CBOR_FLOAT')],
  ['f97e00', refused('CBOR_FLOAT')],
  ['f9fc00', refused('CBOR_FLOAT')],
  ['fa7f800000', refused('CBOR_FLOAT')],
  ['fa7fc00000', refused('CBOR_FLOAT')],
  ['faff800000', refused('CBOR_FLOAT')],
  ['fb7ff0000000000000', refused('CBOR_FLOAT')],
  ['fb7ff8000000000000', refused('CBOR_FLOAT')],
  ['fbfff0000000000000', refused('CBOR_FLOAT')],
  ['f4', value(false)],
  ['f5', value(true)],
  ['f6', value(null)],
  ['f7', value(undefined)],
  ['f0', refused('CBOR_SIMPLE_VALUE')],
  ['f818', refused('CBOR_SIMPLE_VALUE')],
  ['f8ff', refused('CBOR_SIMPLE_VALUE')],
  ['c074323031332d30332d32315432303a30343a30305a', refused('CBOR_TAG')],
  ['c11a514b67b0', refused('CBOR_TAG')],
  ['c1fb41d452d9ec200000', refused('CBOR_TAG')],
  ['d74401020304', refused('CBOR_TAG')],
  ['d818456449455446', refused('CBOR_TAG')],
  ['d82076687474703a2f2f7777772e6578616d706c652e636f6d', refused('CBOR_TAG')],
  ['40', value(bytes())],
  ['4401020304', value(bytes(1, 2, 3, 4))],
  ['60', value('')],
  ['6161', value('a')],
  ['6449455446', value('IETF')],
  ['62225c', value('"\\')],
  ['62c3bc', value('\u00fc')],
  ['63e6b0b4', value('\u6c34')],
  ['64f0908591', value('\u{10151}')],
  ['80', value([])],
  ['83010203', value([1, 2, 3])],
  ['8301820203820405', value([1, [2, 3], [4, 5]])],
  ['98190102030405060708090a0b0c0d0e0f101112131415161718181819', value(upTo25)],
  ['a0', value(new Map())],
  [
    'a201020304',
    value(
      new Map([
        [1, 2],
        [3, 4],
      ]),
    ),
  ],
  [
    'a26161016162820203',
    value(
      new Map<string, CborValue>([
        ['a', 1],
        ['b', [2, 3]],
      ]),
    ),
  ],
  ['826161a161626163', value(['a', new Map([['b', 'c']])])],
  ['a56161614161626142616361436164614461656145', value(new Map([...'abcde'].map((key) => [key, key.toUpperCase()])))],
  ['5f42010243030405ff', refused('CBOR_INDEFINITE_STRING')],
  ['7f657374726561646d696e67ff', refused('CBOR_INDEFINITE_STRING')],
  ['9fff', value([])],
  ['9f018202039f0405ffff', value([1, [2, 3], [4, 5]])],
  ['9f01820203820405ff', value([1, [2, 3], [4, 5]])],
  ['83018202039f0405ff', value([1, [2, 3], [4, 5]])],
  ['83019f0203ff820405', value([1, [2, 3], [4, 5]])],
  ['9f0102030405060708090a0b0c0d0e0f101112131415161718181819ff', value(upTo25)],
  [
    'bf61610161629f0203ffff',
    value(
      new Map<string, CborValue>([
        ['a', 1],
        ['b', [2, 3]],
      ]),
    ),
  ],
  ['826161bf61626163ff', value(['a', new Map([['b', 'c']])])],
  [
    'bf6346756ef563416d7421ff',
    value(
      new Map<string, CborValue>([
        ['Fun', true],
        ['Amt', -2],
      ]),
    ),
  ],
];
