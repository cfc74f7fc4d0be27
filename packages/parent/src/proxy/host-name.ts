import { isIP } from 'node:net';

const LABEL = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/;
const MAX_NAME_LENGTH = 253;

/**
 * A host name in the one form in which names are compared: lower case, without the final dot; or an IP address. `undefined`
 * for anything else, so that no odd spelling gets past a comparison.
 */
export function normalizeHost(host: string): string | undefined {
  const name = host.toLowerCase().replace(/\.$/, '');
  if (isIP(name) !== 0) return name.includes('%') ? undefined : name;
  if (name.length === 0 || name.length > MAX_NAME_LENGTH || !name.split('.').every((label) => LABEL.test(label)))
    return undefined;
  // "127.1", "0x7f.1" and "2130706433" are addresses to getaddrinfo: no top-level domain is a number (RFC 3696 §2).
  const top = name.split('.').at(-1) ?? '';
  return /^(\d+|0x[0-9a-f]*)$/.test(top) ? undefined : name;
}
