import { createHash, createPublicKey, randomBytes, verify } from 'node:crypto';
import { finished, type Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { EnclaveImage, VerifiedAttestationDocument } from '@nitro-enclaves/attestation';
import { customTrustAnchor, verifyAttestationDocument } from '@nitro-enclaves/attestation';
import type { DataEncryption } from '@nitro-enclaves/kms';
import type { Transport } from '@nitro-enclaves/vsock';
import { APPLICATION_PORT, RESULT_CONTEXT } from './application.ts';
import { readHead, textField, writeHead } from './frames.ts';
import type { PaymentSummary } from './payments.ts';

const ANSWER_TIMEOUT_MS = 120_000;

/** What came back from an enclave, whoever carried it: nothing of it is believed yet. */
export interface UnverifiedResult {
  readonly document: Uint8Array;
  readonly signature: Uint8Array;
  /** The summary, under the result key. */
  readonly message: Uint8Array;
}

/** The enclave said no, and why. */
export class RefusedByEnclave extends Error {
  readonly code: string;
  constructor({ code, message, cause }: { code: string; message: string; cause?: string }) {
    super(cause === undefined ? message : `${message} (${cause})`);
    this.name = 'RefusedByEnclave';
    this.code = code;
  }
}

/** Waits until the enclave `cid`, which may still be booting, listens; `signal` ends the wait. */
export async function untilListening(transport: Transport, cid: number, signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      const socket = await transport.connect({ cid, port: APPLICATION_PORT, signal, timeout: 5000 });
      socket.destroy();
      return;
    } catch (error) {
      if (signal.aborted) throw new Error('expected the enclave to listen by now', { cause: error });
      await delay(250);
    }
  }
}

/** Sends an encrypted file to the enclave `cid`, as the parent would. */
export async function submit(
  transport: Transport,
  cid: number,
  file: Readable,
  nonce: Uint8Array,
): Promise<UnverifiedResult> {
  const socket = await transport.connect({ cid, port: APPLICATION_PORT, allowHalfOpen: true });
  try {
    writeHead(socket, { nonce: Buffer.from(nonce).toString('base64') });
    const answered = readHead(socket, ANSWER_TIMEOUT_MS);
    answered.catch(() => undefined);
    // An enclave that refuses stops reading: its answer says more than the broken pipe.
    const sent = pipeline(file, socket, { end: true }).catch(() => undefined);
    const head = await answered;
    if ('error' in head) throw new RefusedByEnclave(head['error'] as { code: string; message: string });
    const document = Buffer.from(textField(head, 'document', 32_768), 'base64');
    const signature = Buffer.from(textField(head, 'signature'), 'base64');
    await sent;
    return { document, signature, message: await buffer(socket) };
  } finally {
    socket.destroy();
    finished(socket, () => undefined);
  }
}

/** What a client knows before: whom it trusts, and how it opens results. */
export interface ResultChecks {
  /** Releases of the application that are trusted. */
  readonly images: readonly EnclaveImage[];
  /** Root of an emulator, DER. Default: AWS's. */
  readonly emulatorRoot?: Uint8Array;
  readonly nonce: Uint8Array;
  readonly results: DataEncryption;
}

/** A summary that the named image made of the file that was sent with the nonce. */
export interface VerifiedResult {
  readonly summary: PaymentSummary;
  readonly document: VerifiedAttestationDocument;
}

/** Believes a result only when the document names the image, carries the nonce and binds message and signing key. */
export async function openResult(
  { document, signature, message }: UnverifiedResult,
  { images, emulatorRoot, nonce, results }: ResultChecks,
): Promise<VerifiedResult> {
  const userData = createHash('sha256').update(message).digest();
  const verified = await verifyAttestationDocument(document, {
    images,
    freshness: { nonce },
    userData,
    ...(emulatorRoot === undefined ? {} : { [customTrustAnchor]: emulatorRoot }),
  });
  const { plaintext } = await results.decrypt(message, { context: RESULT_CONTEXT });
  const key = createPublicKey({ key: Buffer.from(verified.publicKey ?? []), format: 'der', type: 'spki' });
  if (!verify('sha256', plaintext, key, signature)) throw new Error('the summary is not signed by the attested key');
  return { summary: JSON.parse(Buffer.from(plaintext).toString('utf8')), document: verified };
}

/** 32 random bytes, for one request. */
export function freshNonce(): Uint8Array {
  return randomBytes(32);
}
