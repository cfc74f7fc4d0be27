import { EmulatorError } from './error.ts';
import type { Faults } from './faults.ts';

/** What a field of a fault must be. */
type FieldType = 'number' | 'string' | 'strings';

interface FaultForm {
  readonly required: Readonly<Record<string, FieldType>>;
  readonly optional?: Readonly<Record<string, FieldType>>;
}

const OCCASIONS = { after: 'number', times: 'number', chance: 'number' } as const;
const NOTHING: FaultForm = { required: {} };
const BYTES: FaultForm = { required: { bytes: 'number' } };

/** Further fields of every fault of a place. */
const COMMON: Readonly<Record<string, Readonly<Record<string, FieldType>>>> = {
  transport: { ...OCCASIONS, port: 'number', direction: 'string' },
  parent: OCCASIONS,
  nsm: OCCASIONS,
  kms: { ...OCCASIONS, operations: 'strings' },
};

const FORMS: Readonly<Record<string, Readonly<Record<string, FaultForm>>>> = {
  transport: {
    delay: { required: { ms: 'number' } },
    truncate: BYTES,
    drop: BYTES,
    stall: BYTES,
    corrupt: { required: {}, optional: { at: 'number' } },
    swap: BYTES,
    replay: BYTES,
  },
  parent: { 'expired-credentials': NOTHING, 'no-credentials': NOTHING },
  nsm: {
    slow: { required: { ms: 'number' } },
    error: { required: { error: 'string' } },
    'stale-document': { required: { ageMs: 'number' } },
    'foreign-document': NOTHING,
    'foreign-root': NOTHING,
    'unsigned-document': NOTHING,
  },
  kms: {
    throttle: NOTHING,
    'server-error': { required: { status: 'number' } },
    timeout: NOTHING,
    drop: NOTHING,
    stall: NOTHING,
    'expired-credentials': NOTHING,
    'forged-ciphertext-for-recipient': NOTHING,
    'other-key': NOTHING,
    'no-ciphertext-for-recipient': NOTHING,
    'wrong-date': { required: { offsetMs: 'number' } },
  },
};

function refuse(path: string, sentence: string): never {
  throw new EmulatorError('EMULATOR_ARGUMENT', `faults ${path}: ${sentence}`, { path });
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isOfType(value: unknown, type: FieldType): boolean {
  if (type === 'strings') return Array.isArray(value) && value.every((item) => typeof item === 'string');
  return type === 'number' ? typeof value === 'number' && Number.isFinite(value) : typeof value === 'string';
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
    else if (!isOfType(value, type)) refuse(`${path}.${name}`, `expected ${type}`);
  }
  const missing = Object.keys(required).find((name) => fields[name] === undefined);
  if (missing !== undefined) refuse(`${path}.${missing}`, `expected ${required[missing]}, found none`);
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
      if (!isOfType(faults, 'number')) refuse(path, 'expected a number of ms');
      continue;
    }
    if (own(FORMS, place) === undefined) refuse(path, `unknown; there are ${Object.keys(FORMS).join(', ')}`);
    if (!Array.isArray(faults)) return refuse(path, 'expected an array of faults');
    for (const [index, fault] of faults.entries()) checkFault(fault, place, `${path}[${index}]`);
  }
  return value;
}
