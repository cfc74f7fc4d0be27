import { EmulatorError } from './error.ts';
import type { Faults } from './faults.ts';
import { NSM_ERROR_NAMES } from './faults.ts';
import { OPERATIONS } from './kms/operations/index.ts';

/** What a field of a fault must be: a value of another form would be a fault that never happens, or another one. */
interface FieldType {
  readonly expected: string;
  readonly holds: (value: unknown) => boolean;
}

function isAtLeast(least: number, value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= least;
}

function isWhole(value: unknown, [least, most]: readonly [number, number]): boolean {
  return isAtLeast(least, value) && Number.isInteger(value) && value <= most;
}

function oneOf(values: readonly unknown[]): FieldType {
  return { expected: `one of ${values.join(', ')}`, holds: (value) => values.includes(value) };
}

const NUMBER: FieldType = { expected: 'a number', holds: (value) => isAtLeast(Number.NEGATIVE_INFINITY, value) };
const MILLISECONDS: FieldType = { expected: 'a number of ms, 0 or more', holds: (value) => isAtLeast(0, value) };
const COUNT: FieldType = {
  expected: 'a whole number, 0 or more',
  holds: (value) => isWhole(value, [0, Number.MAX_SAFE_INTEGER]),
};
const CHANCE: FieldType = { expected: 'a number from 0 to 1', holds: (value) => isAtLeast(0, value) && value <= 1 };
const PORT: FieldType = { expected: 'a port', holds: (value) => isWhole(value, [1, 0xffff_fffe]) };
const OPERATION_NAMES: FieldType = {
  expected: `an array of ${[...OPERATIONS.keys()].join(', ')}`,
  holds: (value) => Array.isArray(value) && value.every((name) => OPERATIONS.has(name)),
};

interface FaultForm {
  readonly required: Readonly<Record<string, FieldType>>;
  readonly optional?: Readonly<Record<string, FieldType>>;
}

const OCCASIONS = { after: COUNT, times: COUNT, chance: CHANCE };
const NOTHING: FaultForm = { required: {} };
const BYTES: FaultForm = { required: { bytes: COUNT } };

/** Further fields of every fault of a place. */
const COMMON: Readonly<Record<string, Readonly<Record<string, FieldType>>>> = {
  transport: { ...OCCASIONS, port: PORT, direction: oneOf(['to-enclave', 'to-parent']) },
  parent: OCCASIONS,
  nsm: OCCASIONS,
  kms: { ...OCCASIONS, operations: OPERATION_NAMES },
};

const FORMS: Readonly<Record<string, Readonly<Record<string, FaultForm>>>> = {
  transport: {
    delay: { required: { ms: MILLISECONDS } },
    truncate: BYTES,
    drop: BYTES,
    stall: BYTES,
    corrupt: { required: {}, optional: { at: COUNT } },
    swap: BYTES,
    replay: BYTES,
  },
  parent: { 'expired-credentials': NOTHING, 'no-credentials': NOTHING },
  nsm: {
    slow: { required: { ms: MILLISECONDS } },
    error: { required: { error: oneOf(NSM_ERROR_NAMES) } },
    'stale-document': { required: { ageMs: MILLISECONDS } },
    'foreign-document': NOTHING,
    'foreign-root': NOTHING,
    'unsigned-document': NOTHING,
  },
  kms: {
    throttle: NOTHING,
    'server-error': { required: { status: oneOf([500, 502, 503, 504]) } },
    timeout: NOTHING,
    drop: NOTHING,
    stall: NOTHING,
    'expired-credentials': NOTHING,
    'forged-ciphertext-for-recipient': NOTHING,
    'other-key': NOTHING,
    'no-ciphertext-for-recipient': NOTHING,
    'wrong-date': { required: { offsetMs: NUMBER } },
  },
};

function refuse(path: string, sentence: string): never {
  throw new EmulatorError('EMULATOR_ARGUMENT', `faults ${path}: ${sentence}`, { path });
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function own<Value>(table: Readonly<Record<string, Value>>, key: unknown): Value | undefined {
  return typeof key === 'string' && Object.hasOwn(table, key) ? table[key] : undefined;
}

function checkFault(fault: unknown, place: string, path: string): void {
  if (!isRecord(fault)) refuse(path, 'expected an object with a kind');
  const { kind, ...fields } = fault;
  const forms = FORMS[place] ?? {};
  const form = own(forms, kind);
  if (form === undefined) refuse(`${path}.kind`, `expected one of ${Object.keys(forms).join(', ')}`);
  const { required, optional = {} } = form;
  const known = { ...COMMON[place], ...optional, ...required };
  for (const [name, value] of Object.entries(fields)) {
    const type = own(known, name);
    if (type === undefined) refuse(`${path}.${name}`, `unknown here; ${kind} has ${Object.keys(known).join(', ')}`);
    else if (!type.holds(value)) refuse(`${path}.${name}`, `expected ${type.expected}`);
  }
  const missing = Object.keys(required).find((name) => fields[name] === undefined);
  if (missing !== undefined) refuse(`${path}.${missing}`, `expected ${required[missing]?.expected}, found none`);
}

/**
 * Reads faults that come from outside, such as out of a JSON file. A misspelt one would be a fault that never happens.
 * @throws {EmulatorError} `EMULATOR_ARGUMENT` with the path of what is wrong.
 */
export function readFaults(value: unknown): Faults {
  if (!isRecord(value)) return refuse('$', 'expected an object');
  for (const [place, faults] of Object.entries(value)) {
    const path = `$.${place}`;
    if (place === 'parentClockOffsetMs') {
      if (!NUMBER.holds(faults)) refuse(path, 'expected a number of ms');
      continue;
    }
    if (own(FORMS, place) === undefined) refuse(path, `unknown; there are ${Object.keys(FORMS).join(', ')}`);
    if (!Array.isArray(faults)) return refuse(path, 'expected an array of faults');
    for (const [index, fault] of faults.entries()) checkFault(fault, place, `${path}[${index}]`);
  }
  return value;
}
