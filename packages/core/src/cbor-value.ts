import type { Refuse } from './error.ts';
import { NitroEnclavesError, refuseWith } from './error.ts';

/** Keys of the profile's maps: text strings and integers. */
export type CborKey = number | string;

/** A map of the profile; a `Map`, never a plain object, so that a key such as `__proto__` is a key like any other. */
export type CborMap = Map<CborKey, CborValue>;

/** A value of the profile. Integers are numbers within ±(2^53 − 1); byte strings are `Uint8Array`s. */
export type CborValue = number | string | boolean | null | undefined | Uint8Array | CborValue[] | CborMap;

/** Why bytes are not CBOR of the profile. */
export type CborErrorCode =
  | 'CBOR_TOO_LARGE'
  | 'CBOR_TRUNCATED'
  | 'CBOR_TRAILING_BYTES'
  | 'CBOR_RESERVED_INFORMATION'
  | 'CBOR_NOT_SHORTEST'
  | 'CBOR_INTEGER_RANGE'
  | 'CBOR_INDEFINITE_STRING'
  | 'CBOR_UTF8'
  | 'CBOR_DUPLICATE_KEY'
  | 'CBOR_KEY_TYPE'
  | 'CBOR_TAG'
  | 'CBOR_FLOAT'
  | 'CBOR_SIMPLE_VALUE'
  | 'CBOR_UNEXPECTED_BREAK'
  | 'CBOR_TOO_DEEP'
  | 'CBOR_TOO_MANY_ITEMS'
  | 'CBOR_UNSUPPORTED_VALUE';

/** The bytes are not CBOR of the profile, or the value has no form in it. */
export class CborError extends NitroEnclavesError<CborErrorCode> {}

/** Refuses bytes or a value. */
export const refuseCbor: Refuse<CborErrorCode> = refuseWith(CborError);
