import { withDeadline } from '../deadline.ts';
import { KmsRecipientError } from '../error.ts';
import type { AttestedClock } from './attested-clock.ts';
import { readTimestamp } from './own-document.ts';

/**
 * Gives a fresh attestation document (1 to 262 144 bytes) with `publicKey` (SubjectPublicKeyInfo of an RSA-2048 key, DER,
 * 294 bytes) as its `public_key`: `nsm.attestation` in an enclave, `nitro-tpm-attest` on an instance with NitroTPM.
 */
export type Attest = (request: { readonly publicKey: Uint8Array; readonly signal: AbortSignal }) => Promise<Uint8Array>;

/** Where documents come from, and for how long. */
export interface DocumentSourceOptions {
  readonly attest: Attest;
  /** Longest that one `attest` may take, in ms. Default 10 000. */
  readonly attestTimeout?: number;
  /**
   * How long a document serves further calls with the same key, in ms, 60 000 at most. Default 0: each call carries a
   * document of its own. For enclaves whose calls wait for the NSM, which makes one document at a time; what PCRs were
   * extended with since the document was made, KMS does not see.
   */
  readonly reuseDocumentFor?: number;
}

const MAX_REUSE_MS = 60_000;

/** Longest document that KMS takes, in bytes (KMS API reference, "RecipientInfo"). */
const MAX_DOCUMENT_BYTES = 262_144;

/** Checked here: without a document KMS would take the call for one of anybody's, and answer in the clear. */
function expectDocument(document: unknown): Uint8Array {
  if (document instanceof Uint8Array && document.length >= 1 && document.length <= MAX_DOCUMENT_BYTES) return document;
  const found = document instanceof Uint8Array ? `${document.length} bytes` : typeof document;
  throw new TypeError(`expected a Uint8Array of 1 to ${MAX_DOCUMENT_BYTES} bytes from attest, found ${found}`);
}

/** Gets documents for the plugin's keys, and tells the clock when each was made. */
export class DocumentSource {
  readonly #attest: Attest;
  readonly #attestTimeout: number;
  readonly #reuseFor: number;
  readonly #clock: AttestedClock;
  #last: { publicKey: Uint8Array; document: Promise<Uint8Array>; expiresAt: number } | undefined;

  constructor(options: DocumentSourceOptions, clock: AttestedClock) {
    const { attest, attestTimeout = 10_000, reuseDocumentFor = 0 } = options;
    if (typeof attest !== 'function')
      throw new TypeError('expected recipient({ attest }) to be a function that gives an attestation document');
    if (!(reuseDocumentFor >= 0 && reuseDocumentFor <= MAX_REUSE_MS))
      throw new RangeError(`expected reuseDocumentFor to be 0 to ${MAX_REUSE_MS} ms, found ${reuseDocumentFor}`);
    this.#attest = attest;
    this.#attestTimeout = attestTimeout;
    this.#reuseFor = reuseDocumentFor;
    this.#clock = clock;
  }

  /**
   * A document with `publicKey`: made now, or, where that is allowed, the one before. `signal` ends the making of one that
   * serves nobody else.
   * @throws {KmsRecipientError} `ATTESTATION_FAILED`.
   */
  async take(publicKey: Uint8Array, signal?: AbortSignal): Promise<Uint8Array> {
    const document = await this.#keptOrMade(publicKey, signal);
    this.#clock.hold();
    return document;
  }

  #keptOrMade(publicKey: Uint8Array, signal: AbortSignal | undefined): Promise<Uint8Array> {
    if (this.#reuseFor === 0) return this.#make(publicKey, signal);
    if (this.#last?.publicKey === publicKey && performance.now() < this.#last.expiresAt) return this.#last.document;
    const document = this.#make(publicKey);
    this.#keep(publicKey, document);
    return document;
  }

  #keep(publicKey: Uint8Array, document: Promise<Uint8Array>): void {
    const kept = { publicKey, document, expiresAt: performance.now() + this.#reuseFor };
    this.#last = kept;
    // Whoever asked for it meets the failure; the call after that asks anew.
    document.catch(() => {
      if (this.#last === kept) this.#last = undefined;
    });
  }

  async #make(publicKey: Uint8Array, signal?: AbortSignal): Promise<Uint8Array> {
    const askedAt = Date.now();
    const document = await this.#request(publicKey, signal);
    const timestamp = this.#clock.isDue ? readTimestamp(document) : undefined;
    if (timestamp !== undefined) this.#clock.observe(timestamp, askedAt);
    return document;
  }

  async #request(publicKey: Uint8Array, signal?: AbortSignal): Promise<Uint8Array> {
    const limits = { timeout: this.#attestTimeout, signal };
    try {
      return expectDocument(await withDeadline(limits, (ended) => this.#attest({ publicKey, signal: ended })));
    } catch (cause) {
      throw new KmsRecipientError(
        'ATTESTATION_FAILED',
        'expected an attestation document for the call to KMS, got none: is the NSM there (nitro-enclaves doctor)?',
        { cause },
      );
    }
  }
}
