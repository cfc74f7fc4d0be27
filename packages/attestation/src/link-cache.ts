import { constantTimeEqual } from '@nitro-enclaves/core';
import type { PathCertificate } from './certificate-path.ts';

/** A certificate whose signature by the one above was verified, up to the trust anchor. */
export interface VerifiedLink {
  readonly own: PathCertificate;
  /** Names this link in the keys of the links below it. */
  readonly id: number;
}

/**
 * Where to look: the link above, and the end of the signature, which is as good as random. A certificate that was moved
 * below another issuer has another name; whether all bytes are the same is looked at afterwards.
 */
function nameOf(encoded: Uint8Array, issuerId: number): number {
  return encoded.subarray(-4).reduce((name, byte) => name * 256 + byte, issuerId);
}

/**
 * Remembers certificates that were verified under their issuers, so that a warm verification checks one signature. An
 * entry stands for the very bytes of a certificate below the very chain it was verified under; it saves parsing, making the
 * key ready and the signature, and nothing else: names, constraints, usages, revocation and the validity of every
 * certificate of the whole path are checked anew each time, so that an entry outlives nothing. Bounded: the least recently
 * used entry goes first.
 */
export class LinkCache {
  readonly #links = new Map<number, VerifiedLink>();
  readonly #capacity: number;
  #nextId = 1;

  /** @param capacity most certificates remembered; 0 remembers none. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** The verified link of `encoded` below the link `issuerId` (0 for the root). */
  get(encoded: Uint8Array, issuerId: number): VerifiedLink | undefined {
    if (this.#links.size === 0) return undefined;
    const name = nameOf(encoded, issuerId);
    const link = this.#links.get(name);
    if (!link || !constantTimeEqual(link.own.certificate.encoded, encoded)) return undefined;
    this.#links.delete(name);
    this.#links.set(name, link);
    return link;
  }

  /** Remembers a certificate. Only ever called when every signature of its document was found to hold. */
  add(own: PathCertificate, issuerId: number): VerifiedLink {
    const { encoded } = own.certificate;
    // Two verifications of one chain may end at the same time: the second must not orphan what hangs below the first's.
    const known = this.get(encoded, issuerId);
    if (known) return known;
    const link = { own, id: this.#nextId };
    this.#nextId += 1;
    this.#links.set(nameOf(encoded, issuerId), link);
    const [oldest = 0] = this.#links.keys();
    // So written that a capacity that is no number holds nothing instead of everything.
    if (!(this.#links.size <= this.#capacity)) this.#links.delete(oldest);
    return link;
  }
}
