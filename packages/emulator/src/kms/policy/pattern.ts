/** The values of a request that conditions and policy variables ask for: by key in lower case; no entry without a value. */
export type ConditionContext = ReadonlyMap<string, readonly string[]>;

/** A piece of a pattern: text that stands for itself, `*` (any run of characters) or `?` (any one). */
type Token = { readonly literal: string } | { readonly wildcard: '*' | '?' };

/** A pattern of a policy, its variables replaced. */
export interface Pattern {
  readonly tokens: readonly Token[];
}

const VARIABLE = /\$\{([^}]*)\}/g;

/** `${*}`, `${?}` and `${$}` stand for the characters themselves (IAM, policy variables). */
const ESCAPES: ReadonlySet<string> = new Set(['*', '?', '$']);

/** `aws:username` or `aws:username, 'default'`. */
const REFERENCE = /^\s*([^,\s]+)\s*(?:,\s*'([^']*)'\s*)?$/;

/** The value of a variable: single, or its default; `null` when the request has none, or many. */
function resolveVariable(content: string, context: ConditionContext): string | null {
  if (ESCAPES.has(content)) return content;
  const [, name = '', fallback] = content.match(REFERENCE) ?? [];
  const values = context.get(name.toLowerCase());
  if (values?.length === 1) return values[0] ?? null;
  return values === undefined && fallback !== undefined ? fallback : null;
}

/** Splits text that holds no variables into tokens, one for each character: patterns are short. */
function tokenize(text: string): Token[] {
  return [...text].map((character) =>
    character === '*' || character === '?' ? { wildcard: character } : { literal: character },
  );
}

function literals(text: string): Token[] {
  return [...text].map((literal) => ({ literal }));
}

/**
 * Compiles a pattern. What a variable holds never acts as a wildcard: a user named `*` is a user, not everybody.
 * @returns `null` when a variable has no value in this request: then the pattern matches nothing.
 */
export function compilePattern(text: string, context: ConditionContext | null): Pattern | null {
  if (context === null) return { tokens: tokenize(text) };
  const tokens: Token[] = [];
  let end = 0;
  for (const match of text.matchAll(VARIABLE)) {
    const value = resolveVariable(match[1] ?? '', context);
    if (value === null) return null;
    tokens.push(...tokenize(text.slice(end, match.index)), ...literals(value));
    end = match.index + match[0].length;
  }
  tokens.push(...tokenize(text.slice(end)));
  return { tokens };
}

/** The pattern cut at the first `separator`s that stand for themselves, into `parts` parts at most. */
export function splitPattern({ tokens }: Pattern, separator: string, parts: number): Pattern[] {
  const split: Token[][] = [[]];
  for (const token of tokens) {
    if (split.length < parts && 'literal' in token && token.literal === separator) split.push([]);
    else split.at(-1)?.push(token);
  }
  return split.map((part) => ({ tokens: part }));
}

/** The pattern's text as it stands, for operators without wildcards; `null` when a variable has no value. */
export function substitute(text: string, context: ConditionContext | null): string | null {
  const pattern = compilePattern(text, context);
  if (pattern === null) return null;
  return pattern.tokens.map((token) => ('literal' in token ? token.literal : token.wildcard)).join('');
}

function matchesOne(token: Token | undefined, character: string): boolean {
  if (token === undefined) return false;
  return 'literal' in token ? token.literal === character : token.wildcard === '?';
}

function isStar(token: Token | undefined): boolean {
  return token !== undefined && 'wildcard' in token && token.wildcard === '*';
}

/** Whether the whole text matches. Goes back to the last `*` only, so that no pattern takes more than length times length. */
export function matchesPattern({ tokens }: Pattern, text: string): boolean {
  if (tokens.length === 1 && isStar(tokens[0])) return true;
  const characters = [...text];
  let token = 0;
  let position = 0;
  let resume: { token: number; position: number } | null = null;
  while (position < characters.length) {
    if (isStar(tokens[token])) {
      token += 1;
      resume = { token, position };
    } else if (matchesOne(tokens[token], characters[position] ?? '')) {
      token += 1;
      position += 1;
    } else if (resume !== null) {
      resume = { token: resume.token, position: resume.position + 1 };
      ({ token, position } = resume);
    } else {
      return false;
    }
  }
  return tokens.slice(token).every(isStar);
}

/** Whether two texts without variables match, the second a pattern. */
export function matchesGlob(text: string, pattern: string): boolean {
  return matchesPattern({ tokens: tokenize(pattern) }, text);
}
