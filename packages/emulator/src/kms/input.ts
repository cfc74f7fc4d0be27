import { KmsServiceError, validationError } from './service-error.ts';

/** Reads one member of a request; notes what is wrong with it in AWS's words. `undefined` when it is absent. */
export interface Member<T> {
  read(value: unknown, path: string, violations: string[]): T;
}

/** What the members of a request hold. */
export type InputOf<Members> = { readonly [Name in keyof Members]: Members[Name] extends Member<infer T> ? T : never };

type Json = Readonly<Record<string, unknown>>;

function isAbsent(value: unknown): value is null | undefined {
  return value === undefined || value === null;
}

function refuseType(path: string): never {
  throw new KmsServiceError('SerializationException', `The member ${path} has a type that it cannot have`);
}

/** `Value 'x' at 'keyId'`, or without the value where that is bytes or a secret. */
function violation(path: string, constraint: string, value?: unknown): string {
  const shown = value === undefined ? 'Value' : `Value '${String(value).slice(0, 256)}'`;
  return `${shown} at '${path}' failed to satisfy constraint: Member must ${constraint}`;
}

/** A member that may be left out. */
function member<T>(
  type: 'string' | 'number' | 'boolean',
  check: (value: T, path: string) => string[],
): Member<T | undefined> {
  return {
    read: (value, path, violations) => {
      if (isAbsent(value)) return undefined;
      if (typeof value !== type) return refuseType(path);
      violations.push(...check(value as T, path));
      return value as T;
    },
  };
}

/** Bounds of a length, or of a number. */
interface Bounds {
  readonly min?: number;
  readonly max?: number;
}

function checkLength(
  length: number,
  { min = 0, max = Number.POSITIVE_INFINITY }: Bounds,
  describe: (constraint: string) => string,
): string[] {
  return [
    ...(length < min ? [describe(`have length greater than or equal to ${min}`)] : []),
    ...(length > max ? [describe(`have length less than or equal to ${max}`)] : []),
  ];
}

export function text(bounds: Bounds = {}, pattern?: RegExp): Member<string | undefined> {
  return member<string>('string', (value, path) => [
    ...checkLength(value.length, bounds, (constraint) => violation(path, constraint, value)),
    ...(pattern && !pattern.test(value)
      ? [violation(path, `satisfy regular expression pattern: ${pattern.source}`, value)]
      : []),
  ]);
}

export function oneOf<const Value extends string>(values: readonly Value[]): Member<Value | undefined> {
  return {
    read: (value, path, violations) => {
      if (isAbsent(value)) return undefined;
      if (typeof value !== 'string') return refuseType(path);
      const known = values.find((one) => one === value);
      if (known === undefined)
        violations.push(violation(path, `satisfy enum value set: [${values.join(', ')}]`, value));
      return known;
    },
  };
}

export function integer({
  min = Number.NEGATIVE_INFINITY,
  max = Number.POSITIVE_INFINITY,
}: Bounds): Member<number | undefined> {
  return member<number>('number', (value, path) => {
    if (!Number.isInteger(value)) return refuseType(path);
    return [
      ...(value < min ? [violation(path, `have value greater than or equal to ${min}`, value)] : []),
      ...(value > max ? [violation(path, `have value less than or equal to ${max}`, value)] : []),
    ];
  });
}

export const flag: Member<boolean | undefined> = member<boolean>('boolean', () => []);

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

export function blob(bounds: Bounds): Member<Uint8Array | undefined> {
  return {
    read: (value, path, violations) => {
      if (isAbsent(value)) return undefined;
      if (typeof value !== 'string') return refuseType(path);
      const decoded = Buffer.from(value, 'base64');
      // What encodes to the same text was base64: several times as fast as looking at each character.
      if (decoded.toString('base64') !== value && !BASE64.test(value)) return refuseType(path);
      const bytes = new Uint8Array(decoded);
      violations.push(...checkLength(bytes.length, bounds, (constraint) => violation(path, constraint)));
      return bytes;
    },
  };
}

/** A map of text to text; empty when absent. A Map, so that no name can reach an object's prototype. */
export const textMap: Member<ReadonlyMap<string, string>> = {
  read: (value, path) => {
    if (isAbsent(value)) return new Map();
    if (typeof value !== 'object' || Array.isArray(value)) return refuseType(path);
    return new Map(
      Object.entries(value).map(([name, one]): [string, string] =>
        typeof one === 'string' ? [name, one] : refuseType(path),
      ),
    );
  },
};

/** A list; empty when absent. */
export function list<T>(item: Member<T>, bounds: Bounds = {}): Member<readonly NonNullable<T>[]> {
  return {
    read: (value, path, violations) => {
      if (isAbsent(value)) return [];
      if (!Array.isArray(value)) return refuseType(path);
      violations.push(
        ...checkLength(value.length, bounds, (constraint) => violation(path, constraint, `[${value.length} members]`)),
      );
      return value.map((one, index) => item.read(one, `${path}.${index + 1}.member`, violations) ?? refuseType(path));
    },
  };
}

function lowerFirst(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1);
}

function readMembers<Members extends Readonly<Record<string, Member<unknown>>>>(
  members: Members,
  value: Json,
  { prefix, violations }: { prefix: string; violations: string[] },
): InputOf<Members> {
  const entries = Object.entries(members).map(([name, one]) => [
    name,
    one.read(value[name], `${prefix}${lowerFirst(name)}`, violations),
  ]);
  return Object.fromEntries(entries);
}

/** A structure inside of a request; `undefined` when absent. */
export function structure<Members extends Readonly<Record<string, Member<unknown>>>>(
  members: Members,
): Member<InputOf<Members> | undefined> {
  return {
    read: (value, path, violations) => {
      if (isAbsent(value)) return undefined;
      if (typeof value !== 'object' || Array.isArray(value)) return refuseType(path);
      return readMembers(members, value as Json, { prefix: `${path}.`, violations });
    },
  };
}

/** A member that must be there. */
export function required<T>(inner: Member<T>): Member<NonNullable<T>> {
  return {
    read: (value, path, violations) => {
      if (isAbsent(value)) violations.push(violation(path, 'not be null', 'null'));
      // What is missing has been noted: readInput throws before anybody sees it.
      return inner.read(value, path, violations) as NonNullable<T>;
    },
  };
}

/** A request without members. */
export type MembersOf = Readonly<Record<string, Member<unknown>>>;

/**
 * Reads the body of a request.
 * @throws {KmsServiceError} `SerializationException`, `ValidationException` with every violation in AWS's words
 */
export function readInput<Members extends MembersOf>(members: Members, body: Uint8Array): InputOf<Members> {
  const violations: string[] = [];
  const input = readMembers(members, parseBody(body), { prefix: '', violations });
  if (violations.length === 0) return input;
  const count = violations.length === 1 ? '1 validation error' : `${violations.length} validation errors`;
  throw validationError(`${count} detected: ${violations.join('; ')}`);
}

function parseBody(body: Uint8Array): Json {
  if (body.length === 0) return {};
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json;
  } catch {
    throw new KmsServiceError('SerializationException', 'The body is not JSON');
  }
  throw new KmsServiceError('SerializationException', 'The body is not a JSON object');
}
