import { once } from 'node:events';
import type { Socket } from 'node:net';

const LONGEST_LINE = 4096;

/** Reads the first line of `socket`, and leaves what follows to be read. Its listeners are its own: ours stay out. */
export async function readLine(socket: Socket): Promise<string> {
  const line: Buffer[] = [];
  while (line.length < LONGEST_LINE) {
    const byte: Buffer | null = socket.read(1);
    if (byte === null) {
      if (socket.readableEnded || socket.destroyed) throw new Error('expected a line, found the end');
      await Promise.race([once(socket, 'readable'), once(socket, 'end'), once(socket, 'close')]);
    } else if (byte[0] === 0x0a) {
      return Buffer.concat(line).toString();
    } else {
      line.push(byte);
    }
  }
  throw new Error(`expected a line of at most ${LONGEST_LINE} bytes`);
}
