/** Parses an option that may be given again: all its values. It has no default, which help would show as an empty list. */
export function collect(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value];
}
