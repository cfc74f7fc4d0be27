import type { Enclave } from '@nitro-enclaves/emulator/enclave';
import type { Transport, VsockSocket } from '@nitro-enclaves/vsock';
import { NONCE_BYTES } from './nonce.ts';

/** vsock port of the enclave on which challenges are taken. */
export const ATTESTATION_PORT = 5000;

/** Longest document, in bytes (Nitro Enclaves attestation process: 16 KiB, and a little more for its envelope). */
const MAX_DOCUMENT_BYTES = 32_768;
const IDLE_TIMEOUT_MS = 10_000;

/** Everything up to the other side's end, which leaves our own side open; more than `longest` bytes are refused. */
async function readAll(socket: VsockSocket, longest: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of socket.iterator({ destroyOnReturn: false })) {
    length += piece.length;
    if (length > longest) throw new RangeError(`expected at most ${longest} bytes, found more`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** Answers each challenge with a document that carries it, and a statement of the application, both under one signature. */
export async function serveDocuments({ nsm, transport }: Enclave): Promise<void> {
  const startedAt = new Date().toISOString();
  let answers = 0;
  const answer = async (socket: VsockSocket) => {
    const nonce = await readAll(socket, NONCE_BYTES);
    if (nonce.length !== NONCE_BYTES)
      throw new RangeError(`expected a challenge of ${NONCE_BYTES} bytes, found ${nonce.length}`);
    answers += 1;
    const userData = Buffer.from(JSON.stringify({ application: 'verify-in-browser', startedAt, answers }));
    socket.end(await nsm.attestation({ nonce, userData }));
  };
  const server = transport.createServer({ allowHalfOpen: true, maxConnections: 64 }, (socket) => {
    socket.setTimeout(IDLE_TIMEOUT_MS, () => socket.destroy());
    socket.on('error', () => undefined);
    answer(socket).catch((error: unknown) => {
      console.error(`refused: ${error instanceof Error ? error.message : String(error)}`);
      socket.destroy();
    });
  });
  await server.listen({ port: ATTESTATION_PORT });
}

/** What a visitor asks. */
export interface Challenge {
  readonly nonce: Uint8Array;
  /** Ends the wait. */
  readonly signal: AbortSignal;
}

/** Asks the enclave `cid` for a document with this challenge, as the parent does for a visitor. */
export async function askEnclave(transport: Transport, cid: number, { nonce, signal }: Challenge): Promise<Uint8Array> {
  const socket = await transport.connect({ cid, port: ATTESTATION_PORT, allowHalfOpen: true, signal });
  const giveUp = () => socket.destroy(new Error('the enclave did not answer in time'));
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    socket.end(nonce);
    const document = await readAll(socket, MAX_DOCUMENT_BYTES);
    if (document.length === 0) throw new Error('the enclave gave no document');
    return document;
  } finally {
    signal.removeEventListener('abort', giveUp);
    socket.destroy();
  }
}
