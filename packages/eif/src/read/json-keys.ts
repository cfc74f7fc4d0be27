/** The index behind the string that begins at `start` of a valid JSON text. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

/**
 * A key that some object of a valid JSON text has twice. `JSON.parse` lets the last one count and other readers the first,
 * or neither: one file, two descriptions.
 */
export function findDuplicateKey(text: string): string | undefined {
  // The keys of each object that is open; `undefined` for an array.
  const open: (Set<string> | undefined)[] = [];
  let expectsKey = false;
  for (let at = 0; at < text.length; ) {
    const character = text[at];
    if (character === '"') {
      const end = endOfString(text, at);
      const keys = open.at(-1);
      if (expectsKey && keys !== undefined) {
        const key: unknown = JSON.parse(text.slice(at, end));
        if (typeof key === 'string' && keys.has(key)) return key;
        keys.add(String(key));
      }
      expectsKey = false;
      at = end;
      continue;
    }
    if (character === '{' || character === '[') open.push(character === '{' ? new Set() : undefined);
    else if (character === '}' || character === ']') open.pop();
    if (character === '{' || character === ',') expectsKey = true;
    at += 1;
  }
  return undefined;
}
