import type { Socket } from 'node:net';
import type { VsockAddress } from './address.ts';

/*
 * A Unix socket does not tell the listener who connects. So whoever connects says it first, in 16 bytes:
 *   "VSCK" | u32 own CID | u32 own port | u32 CID dialled        (little-endian)
 * It is taken at its word: whoever may open the folder may be any CID. Never a boundary between parties that distrust
 * one another, which is what the folder's permissions are for.
 */
const MAGIC = Buffer.from('VSCK', 'latin1');
export const PREFACE_LENGTH = 16;
const PREFACE_TIMEOUT_MS = 10_000;

/** What a preface says: who connects, and by which CID it reached us. */
export interface Preface {
  readonly remote: VsockAddress;
  readonly dialledCid: number;
}

/** The bytes that a connection from `from` to `dialledCid` begins with. */
export function encodePreface({ remote, dialledCid }: Preface): Buffer {
  const bytes = Buffer.alloc(PREFACE_LENGTH);
  MAGIC.copy(bytes);
  bytes.writeUInt32LE(remote.cid, 4);
  bytes.writeUInt32LE(remote.port, 8);
  bytes.writeUInt32LE(dialledCid, 12);
  return bytes;
}

/** The preface in exactly 16 bytes, or `undefined` when they are none. */
export function decodePreface(bytes: Buffer): Preface | undefined {
  if (bytes.length !== PREFACE_LENGTH || !bytes.subarray(0, 4).equals(MAGIC)) return undefined;
  return {
    remote: { cid: bytes.readUInt32LE(4), port: bytes.readUInt32LE(8) },
    dialledCid: bytes.readUInt32LE(12),
  };
}

/** Calls `received` with the preface of `socket`; a connection that sends anything else, or nothing, is destroyed. */
export function awaitPreface(socket: Socket, received: (preface: Preface) => void): void {
  const stop = (): void => {
    clearTimeout(timer);
    socket.off('readable', read);
    socket.off('end', give);
    socket.off('error', give);
    socket.off('close', stop);
  };
  const give = (): void => {
    stop();
    // Whoever never was a connection has nobody to whom its error could matter.
    socket.on('error', () => {});
    socket.destroy();
  };
  const read = (): void => {
    const bytes: Buffer | null = socket.read(PREFACE_LENGTH);
    if (bytes === null) return;
    const preface = decodePreface(bytes);
    if (preface === undefined) {
      give();
    } else {
      stop();
      received(preface);
    }
  };
  const timer = setTimeout(give, PREFACE_TIMEOUT_MS);
  timer.unref();
  socket.on('readable', read);
  socket.on('end', give);
  socket.on('error', give);
  socket.on('close', stop);
}
