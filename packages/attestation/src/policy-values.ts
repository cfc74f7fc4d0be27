import { copyBytes, encodeHex } from '@nitro-enclaves/core';
import type { PolicyConfigurationErrorCode } from './error.ts';
import { refusePolicy } from './error.ts';
import { ZERO_PCR } from './preimage.ts';

/** Reads the value at `path` of a policy, a copy that the caller's later writes do not change, or refuses it. */
export type ReadValue<T = unknown> = (value: unknown, path: string) => T;

/** What a refusal says of a value; never the value itself. */
function describe(value: unknown): string {
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  return value === null ? 'null' : typeof value;
}

/** Reads a value that a predicate tells. */
export function expecting<T>(
  expected: string,
  is: (value: unknown) => value is T,
  code: PolicyConfigurationErrorCode = 'POLICY_OPTION_TYPE',
): ReadValue<T> {
  return (value, path) => (is(value) ? value : refusePolicy(code, path, expected, describe(value)));
}

/** Whether `value` can hold options. */
export function isRecord(value: unknown): value is Record<PropertyKey, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array;
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function isHex(value: unknown): value is string {
  return typeof value === 'string' && /^([0-9a-f]{2})+$/i.test(value);
}

/** Non-empty text. */
export const readText: ReadValue<string> = expecting('non-empty text', isText);
/** A flag; for the opt-ins only `true` is a value. */
export const readFlag: ReadValue<boolean> = expecting('true or false', (value) => typeof value === 'boolean');
/** A span of time in ms. */
export const readDuration: ReadValue<number> = expecting(
  'ms, 0 or more',
  (value): value is number => Number.isFinite(value) && Number(value) >= 0,
  'POLICY_DURATION',
);
const expectHex = expecting('hexadecimal digits', isHex);
const expectBytes = expecting('a Uint8Array', isBytes);
const expectRecord = expecting('an object', isRecord);

/** A positive INTEGER, or a SEQUENCE, in lower-case hexadecimal. Serial numbers are often shown without DER's leading zero. */
export function readHex(value: unknown, path: string): string {
  return expectHex(value, path)
    .toLowerCase()
    .replace(/^[89a-f]/, '00$&');
}

/** Bytes, possibly none. */
export function readBytes(value: unknown, path: string): Uint8Array {
  return copyBytes(expectBytes(value, path));
}

/** A challenge. A short one can be guessed and asked for in advance. */
export const readNonce: ReadValue<Uint8Array> = (value, path) => {
  if (isBytes(value) && value.length >= 16 && value.length <= 1024) return copyBytes(value);
  return refusePolicy('POLICY_NONCE_LENGTH', path, '16 to 1024 random bytes', describe(value));
};

/** A list whose entries `readEntry` reads; `readList` refuses what is no list. */
export function listOf<T>(
  readEntry: ReadValue<T>,
  readList: ReadValue<readonly unknown[]> = expecting('a list', Array.isArray),
): ReadValue<readonly T[]> {
  return (value, path) => readList(value, path).map((entry, index) => readEntry(entry, `${path}[${index}]`));
}

type Readers = Readonly<Record<PropertyKey, ReadValue>>;
type ValuesOf<Fields extends Readers> = { readonly [Name in keyof Fields]: ReturnType<Fields[Name]> };

/** An object of these options and no others: a misspelt one, or one without a value, is a rule that is never applied. */
export function optionsOf<Mandatory extends Readers, Optional extends Readers>(
  mandatory: Mandatory,
  optional: Optional,
): ReadValue<ValuesOf<Mandatory> & Partial<ValuesOf<Optional>>> {
  const readers: Readers = { ...mandatory, ...optional };
  const names = Reflect.ownKeys(readers);
  return (value, path) => {
    const options = expectRecord(value, path);
    for (const name of Reflect.ownKeys(options)) {
      if (!Object.hasOwn(readers, name)) refusePolicy('POLICY_UNKNOWN_OPTION', path, 'no unknown option', String(name));
      if (options[name] === undefined) {
        refusePolicy('POLICY_OPTION_UNDEFINED', path, 'a value', String(name));
      }
    }
    const values: Record<PropertyKey, unknown> = {};
    for (const name of names) {
      if (options[name] === undefined && !Object.hasOwn(mandatory, name)) continue;
      const place = typeof name === 'symbol' ? `[${name.description}]` : `.${name}`;
      values[name] = readers[name]?.(options[name], path + place);
    }
    return values as ValuesOf<Mandatory> & Partial<ValuesOf<Optional>>;
  };
}

/** PCR values by index, in lower-case hexadecimal. */
export type PolicyPcrs = ReadonlyMap<number, string>;

/** PCR values by index. A policy of none would accept every document. */
export function readPcrs(value: unknown, path: string): PolicyPcrs {
  const entries = Object.entries(expectRecord(value, path));
  if (entries.length === 0) refusePolicy('POLICY_IMAGE_PCRS', path, 'at least one PCR');
  const pcrs = new Map<number, string>();
  for (const [index, given] of entries) {
    if (!/^([12]?\d|3[01])$/.test(index)) refusePolicy('POLICY_PCR_INDEX', path, 'indexes from 0 to 31', index);
    const pcr = isBytes(given) ? encodeHex(given) : given;
    if (!isHex(pcr) || pcr.length !== ZERO_PCR.length) {
      return refusePolicy('POLICY_PCR_VALUE', `${path}[${index}]`, '48 bytes or hexadecimal digits');
    }
    pcrs.set(Number(index), pcr.toLowerCase());
  }
  return pcrs;
}
