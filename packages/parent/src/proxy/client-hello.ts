/** What of a TLS ClientHello decides the route. */
export type ClientHello =
  /** More bytes are needed. */
  | { readonly kind: 'incomplete' }
  /** Not TLS, or not a ClientHello that a client of today sends. */
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'complete'; readonly serverName: string | undefined };

/** Longest ClientHello taken, in bytes: post-quantum key shares make some of 2 KB; a record holds at most 16 KiB. */
export const MAX_CLIENT_HELLO_BYTES = 16_384;

const HANDSHAKE_RECORD = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME_EXTENSION = 0;
const HOST_NAME = 0;
const RECORD_HEADER_BYTES = 5;
const MESSAGE_HEADER_BYTES = 4;

class Malformed extends Error {}

/** Reads big-endian lengths and what they enclose, and never beyond its end. */
class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  take(count: number): Uint8Array {
    if (count > this.#bytes.length - this.#at) throw new Malformed('a length beyond its end');
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  uint(bytes: 1 | 2 | 3): number {
    return this.take(bytes).reduce((value, byte) => value * 256 + byte, 0);
  }

  /** What a length of 1 or 2 bytes encloses. */
  vector(bytes: 1 | 2): Reader {
    return new Reader(this.take(this.uint(bytes)));
  }

  text(): string {
    return String.fromCharCode(...this.take(this.#bytes.length - this.#at));
  }
}

/** Where the record at `at` ends, which may be behind the bytes there are. */
function recordEnd(bytes: Uint8Array, at: number): number {
  if (bytes[at] !== HANDSHAKE_RECORD || bytes[at + 1] !== 3) throw new Malformed('no TLS handshake record');
  const length = (bytes[at + 3] ?? 0) * 256 + (bytes[at + 4] ?? 0);
  if (length === 0 || length > MAX_CLIENT_HELLO_BYTES) throw new Malformed('a record of a length that TLS has not');
  return at + RECORD_HEADER_BYTES + length;
}

/**
 * The ClientHello put together from its records, which may cut it anywhere (RFC 8446 §5.1); `undefined` while it is not
 * whole. Nothing is copied until then: this is asked for each piece that arrives, and may be sent in thousands of records.
 */
function joinRecords(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes.length > 0 && bytes[0] !== HANDSHAKE_RECORD) throw new Malformed('no TLS handshake record');
  const head: number[] = [];
  let length = 0;
  for (let at = 0; bytes.length - at >= RECORD_HEADER_BYTES; ) {
    const [start, end] = [at + RECORD_HEADER_BYTES, recordEnd(bytes, at)];
    if (head.length < MESSAGE_HEADER_BYTES) head.push(...bytes.subarray(start, Math.min(end, start + 4)));
    length += Math.min(end, bytes.length) - start;
    if (isWholeMessage(head, length)) return contentsOfRecords(bytes, end);
    at = end;
  }
  return undefined;
}

function isWholeMessage(head: readonly number[], length: number): boolean {
  const [type, high = 0, middle = 0, low = 0] = head;
  if (type !== undefined && type !== CLIENT_HELLO) throw new Malformed('a handshake message other than ClientHello');
  return head.length >= MESSAGE_HEADER_BYTES && length >= MESSAGE_HEADER_BYTES + high * 65_536 + middle * 256 + low;
}

function contentsOfRecords(bytes: Uint8Array, last: number): Uint8Array {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < last; at = recordEnd(bytes, at))
    pieces.push(bytes.subarray(at + RECORD_HEADER_BYTES, recordEnd(bytes, at)));
  return Buffer.concat(pieces);
}

/** RFC 6066 §3. Two names, or two of the extensions, would be read one way here and another way by the server. */
function readServerName(extension: Reader): string {
  const names = extension.vector(2);
  if (names.uint(1) !== HOST_NAME) throw new Malformed('a server name of a type unknown');
  const name = names.vector(2).text();
  if (!names.isAtEnd || !extension.isAtEnd) throw new Malformed('more than one server name');
  return name;
}

function readExtensions(extensions: Reader): string | undefined {
  let serverName: string | undefined;
  while (!extensions.isAtEnd) {
    const type = extensions.uint(2);
    const extension = extensions.vector(2);
    if (type !== SERVER_NAME_EXTENSION) continue;
    if (serverName !== undefined) throw new Malformed('two server name extensions');
    serverName = readServerName(extension);
  }
  return serverName;
}

/** RFC 8446 §4.1.2. */
function readClientHello(message: Uint8Array): string | undefined {
  const hello = new Reader(message);
  hello.take(1);
  const body = new Reader(hello.take(hello.uint(3)));
  body.take(2 + 32);
  body.vector(1);
  body.vector(2);
  body.vector(1);
  if (body.isAtEnd) return undefined;
  const extensions = body.vector(2);
  if (!body.isAtEnd) throw new Malformed('bytes behind the extensions');
  return readExtensions(extensions);
}

/**
 * Reads the server name out of the first bytes of a TLS connection, which is not touched: TLS ends at the server. With
 * encrypted ClientHello, it is the outer name that counts.
 */
export function parseClientHello(bytes: Uint8Array): ClientHello {
  try {
    const message = joinRecords(bytes);
    if (message !== undefined) return { kind: 'complete', serverName: readClientHello(message) };
    if (bytes.length < MAX_CLIENT_HELLO_BYTES) return { kind: 'incomplete' };
    return { kind: 'refused', reason: `a ClientHello of more than ${MAX_CLIENT_HELLO_BYTES} bytes` };
  } catch (error) {
    if (error instanceof Malformed) return { kind: 'refused', reason: error.message };
    throw error;
  }
}
