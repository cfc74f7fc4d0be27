import type { Target } from './allow-list.ts';

/** The head of an HTTP CONNECT request. */
export type ConnectRequest =
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'refused'; readonly status: 400 | 405 | 431; readonly reason: string }
  /** `headBytes`: where the tunnel's own bytes begin. */
  | { readonly kind: 'complete'; readonly target: Target; readonly headBytes: number };

/** Longest head taken, in bytes. */
export const MAX_CONNECT_HEAD_BYTES = 8192;

const REQUEST_LINE = /^([A-Z]{1,16}) (\S{1,512}) HTTP\/1\.[01]$/;
const HEADER_LINE = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+:[ \t]*[^\0\r\n]*$/;
const AUTHORITY = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]/@]+)):(\d{1,5})$/;

function parseAuthority(authority: string): Target | undefined {
  const [, literal, name, digits] = AUTHORITY.exec(authority) ?? [];
  const host = literal ?? name;
  const port = Number(digits);
  return host !== undefined && port >= 1 && port <= 65_535 ? { host, port } : undefined;
}

function parseHead(head: string, headBytes: number): ConnectRequest {
  const [requestLine = '', ...headers] = head.split('\r\n');
  const [, method, authority = ''] = REQUEST_LINE.exec(requestLine) ?? [];
  if (method === undefined) return { kind: 'refused', status: 400, reason: 'no HTTP/1.1 request line' };
  if (method !== 'CONNECT') return { kind: 'refused', status: 405, reason: 'another method than CONNECT' };
  if (!headers.every((line) => HEADER_LINE.test(line)))
    return { kind: 'refused', status: 400, reason: 'a malformed header' };
  const target = parseAuthority(authority);
  if (target === undefined) return { kind: 'refused', status: 400, reason: 'no host:port after CONNECT' };
  return { kind: 'complete', target, headBytes };
}

/** Reads the head of a CONNECT request (RFC 9110 §9.3.6) out of the first bytes of a connection. */
export function parseConnectRequest(bytes: Buffer): ConnectRequest {
  const end = bytes.subarray(0, MAX_CONNECT_HEAD_BYTES).indexOf('\r\n\r\n');
  if (end !== -1) return parseHead(bytes.toString('latin1', 0, end), end + 4);
  if (bytes.length < MAX_CONNECT_HEAD_BYTES) return { kind: 'incomplete' };
  return { kind: 'refused', status: 431, reason: `a head of more than ${MAX_CONNECT_HEAD_BYTES} bytes` };
}
