import type { Duplex, Readable } from 'node:stream';

/** Longest head, in bytes: a document has some 5 KB. */
const MAX_HEAD_BYTES = 65_536;

/** Writes a head: its length in 4 bytes, then JSON. What follows it on the connection is the message. */
export function writeHead(socket: Duplex, head: object): void {
  const json = Buffer.from(JSON.stringify(head));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(json.length);
  socket.write(Buffer.concat([length, json]));
}

/** Resolves with `bytes` bytes, and leaves the rest in the stream; rejects at its end. */
function readExactly(stream: Readable, bytes: number, signal: AbortSignal): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const settle = (outcome: () => void) => {
      stream.off('readable', attempt).off('end', end).off('error', fail);
      signal.removeEventListener('abort', abort);
      outcome();
    };
    const fail = (error: Error) => settle(() => reject(error));
    const end = () => fail(new Error('the other side ended before its message was whole'));
    const abort = () => fail(new Error('the other side said nothing whole in time'));
    const attempt = () => {
      const piece: Buffer | null = stream.read(bytes);
      if (piece?.length === bytes) settle(() => resolve(piece));
      else if (piece !== null) end();
    };
    stream.on('readable', attempt).once('end', end).once('error', fail);
    signal.addEventListener('abort', abort, { once: true });
    attempt();
  });
}

/** Reads a head; `timeout` in ms. */
export async function readHead(stream: Readable, timeout: number): Promise<Record<string, unknown>> {
  const signal = AbortSignal.timeout(timeout);
  const length = (await readExactly(stream, 4, signal)).readUInt32BE();
  if (length > MAX_HEAD_BYTES)
    throw new RangeError(`expected a head of at most ${MAX_HEAD_BYTES} bytes, found ${length}`);
  const head: unknown = JSON.parse((await readExactly(stream, length, signal)).toString('utf8'));
  if (typeof head !== 'object' || head === null) throw new TypeError('expected a head that is an object');
  return { ...head };
}

/** A string field of a head, at most 4 KiB long unless told otherwise. */
export function textField(head: Record<string, unknown>, name: string, longest = 4096): string {
  const value = head[name];
  if (typeof value === 'string' && value.length <= longest) return value;
  throw new TypeError(`expected a text ${name} of at most ${longest} characters`);
}
