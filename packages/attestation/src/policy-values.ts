import { encodeHex, explain } from '@nitro-enclaves/core';
import type { PolicyConfigurationErrorCode } from './error.ts';
import { PolicyConfigurationError } from './error.ts';

const ZERO_PCR = '0'.repeat(96);
const PCR_PATTERN = /^[0-9a-f]{96}$/;

/** Throws the policy's own error; `path` is that of the option. */
export function refusePolicy(
  code: PolicyConfigurationErrorCode,
  path: string,
  expected: string,
  found?: unknown,
): never {
  throw new PolicyConfigurationError(code, explain(`policy ${path}`, expected, found), { path });
}

/** Whether `value` can hold options. */
export function isRecord(value: unknown): value is Record<PropertyKey, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

/** A misspelt option would be a rule that is never applied, and so would one whose value was not there to be read. */
export function expectOnlyOptions(options: object, allowed: readonly PropertyKey[], path: string): void {
  for (const key of Reflect.ownKeys(options)) {
    if (!allowed.includes(key)) {
      refusePolicy('POLICY_UNKNOWN_OPTION', path, 'only known options', String(key));
    }
    if (Reflect.get(options, key) === undefined) {
      refusePolicy('POLICY_OPTION_UNDEFINED', path, 'values (leave out what has none)', String(key));
    }
  }
}

/** One PCR value in lower-case hexadecimal. */
function readPcrValue(value: unknown, path: string): string {
  const text = value instanceof Uint8Array ? encodeHex(value) : typeof value === 'string' ? value.toLowerCase() : '';
  if (!PCR_PATTERN.test(text)) refusePolicy('POLICY_PCR_VALUE', path, '48 bytes or 96 hexadecimal digits');
  return text;
}

/** The PCR values of a policy by index. A policy of nothing, or of zeros, would accept what it was meant to refuse. */
export function readPcrValues(
  values: unknown,
  path: string,
  { allowZero }: { allowZero: boolean },
): ReadonlyMap<number, string> {
  if (!isRecord(values)) return refusePolicy('POLICY_OPTION_TYPE', path, 'PCR values by index');
  const entries = Object.entries(values);
  if (entries.length === 0) refusePolicy('POLICY_IMAGE_PCRS', path, 'at least one PCR');
  const pcrs = new Map<number, string>();
  for (const [key, value] of entries) {
    if (!/^([0-9]|[12][0-9]|3[01])$/.test(key)) refusePolicy('POLICY_PCR_INDEX', path, 'indexes from 0 to 31', key);
    const pcr = readPcrValue(value, `${path}[${key}]`);
    if (pcr === ZERO_PCR && !allowZero) {
      refusePolicy('POLICY_PCR_ZERO', `${path}[${key}]`, 'a measurement', 'zeros, as in debug mode');
    }
    pcrs.set(Number(key), pcr);
  }
  return pcrs;
}

/** An optional option of a type that a predicate tells. */
export function readOption<T>(
  value: unknown,
  path: string,
  { is, expected }: { is: (value: unknown) => value is T; expected: string },
): T | undefined {
  if (value === undefined) return undefined;
  return is(value) ? value : refusePolicy('POLICY_OPTION_TYPE', path, expected);
}

/** Non-empty text. */
export const TEXT = {
  is: (value: unknown): value is string => typeof value === 'string' && value !== '',
  expected: 'non-empty text',
};
/** Bytes, possibly none. */
export const BYTES = {
  is: (value: unknown): value is Uint8Array => value instanceof Uint8Array,
  expected: 'a Uint8Array',
};
/** A flag; for the opt-ins only `true` is a value. */
export const FLAG = { is: (value: unknown): value is boolean => typeof value === 'boolean', expected: 'true or false' };

/** A span of time in ms. */
export function readDuration(value: unknown, path: string): number {
  if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return value;
  return refusePolicy('POLICY_DURATION', path, 'milliseconds, 0 or more');
}
