import { SignerError } from './error.ts';

const MAX_DEPTH = 64;

function text(value: string): string {
  // RFC 8785, section 3.2.2.2: lone surrogates have no UTF-8.
  if (/\p{Surrogate}/u.test(value)) throw new SignerError('REQUEST_MALFORMED', 'expected strings of whole characters');
  return JSON.stringify(value);
}

/** One text for each JSON value, whatever the order of its keys and its white space (RFC 8785). */
export function canonicalJson(value: unknown, depth = 0): string {
  if (depth > MAX_DEPTH) throw new SignerError('REQUEST_MALFORMED', `expected JSON of at most ${MAX_DEPTH} levels`);
  if (typeof value === 'string') return text(value);
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item, depth + 1)).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1));
    return `{${members.map(([name, member]) => `${text(name)}:${canonicalJson(member, depth + 1)}`).join(',')}}`;
  }
  if (value === null || typeof value === 'boolean' || Number.isFinite(value)) return JSON.stringify(value);
  throw new SignerError('REQUEST_MALFORMED', `expected a JSON value, found ${typeof value}`);
}
