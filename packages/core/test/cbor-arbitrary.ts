import type { CborValue } from '@nitro-enclaves/core';
import fc from 'fast-check';

const scalar: fc.Arbitrary<CborValue> = fc.oneof(
  fc.maxSafeInteger(),
  fc.integer({ min: -300, max: 300 }),
  fc.string({ unit: 'binary' }),
  fc.uint8Array({ maxLength: 300 }),
  fc.constantFrom(true, false, null, undefined),
);

const key = fc.oneof(fc.string({ unit: 'binary', maxLength: 8 }), fc.integer({ min: -70_000, max: 70_000 }));

/** Any value of the profile, nested up to five levels. */
export const cborValue: fc.Arbitrary<CborValue> = fc.letrec<{ value: CborValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, depthSize: 'small' },
    scalar,
    fc.array(tie('value'), { maxLength: 30 }),
    fc.array(fc.tuple(key, tie('value')), { maxLength: 30 }).map((entries) => new Map(entries)),
  ),
})).value;
