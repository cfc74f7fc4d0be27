import type { Socket } from 'node:net';
import { ProxyError } from './error.ts';

/** What a parser says of the first bytes of a connection. */
type Parsed = { readonly kind: 'incomplete' } | { readonly kind: 'refused' } | { readonly kind: 'complete' };

/**
 * Reads until `parse` has what it needs, and gives its result with all bytes read; the socket is paused then.
 * @throws {ProxyError} `CONNECT_TIMEOUT` when the peer does not say enough in time, or ends.
 */
export function peek<Result extends Parsed>(
  socket: Socket,
  parse: (bytes: Buffer) => Result,
  timeout: number,
): Promise<{ result: Exclude<Result, { kind: 'incomplete' }>; bytes: Buffer }> {
  return new Promise((resolve, reject) => {
    let bytes: Buffer = Buffer.alloc(0);
    const timer = setTimeout(() => fail(`within ${timeout} ms`), timeout);
    const stop = () => {
      clearTimeout(timer);
      socket.pause().off('data', read).off('end', end).off('close', end);
    };
    const fail = (found: string) => {
      stop();
      reject(
        new ProxyError(
          'CONNECT_TIMEOUT',
          `expected a peer that says where it wants to go, found nothing whole ${found}`,
        ),
      );
    };
    const end = () => fail('before its end');
    const read = (piece: Buffer) => {
      bytes = Buffer.concat([bytes, piece]);
      const result = parse(bytes);
      if (!isDecided(result)) return;
      stop();
      resolve({ result, bytes });
    };
    socket.on('data', read).once('end', end).once('close', end);
  });
}

function isDecided<Result extends Parsed>(result: Result): result is Exclude<Result, { kind: 'incomplete' }> {
  return result.kind !== 'incomplete';
}
