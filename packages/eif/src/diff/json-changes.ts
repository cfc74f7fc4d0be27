/** A value that differs at `path`; `undefined` where there is none. */
export interface JsonChange {
  readonly path: string;
  readonly left: unknown;
  readonly right: unknown;
}

function isContainer(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** What differs between two JSON values, down to the deepest values that do. */
export function compareJson(left: unknown, right: unknown, path = '$'): JsonChange[] {
  if (Object.is(left, right)) return [];
  if (!isContainer(left) || !isContainer(right) || Array.isArray(left) !== Array.isArray(right)) {
    return [{ path, left, right }];
  }
  const [before, after] = [new Map(Object.entries(left)), new Map(Object.entries(right))];
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((key) =>
    compareJson(before.get(key), after.get(key), Array.isArray(left) ? `${path}[${key}]` : `${path}.${key}`),
  );
}
