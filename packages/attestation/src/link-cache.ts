import type { PathCertificate } from './certificate-path.ts';
import type { P384Key } from './crypto.ts';

/** A certificate whose signature by the one above was verified, up to the trust anchor. */
export interface VerifiedLink {
  readonly own: PathCertificate;
  readonly key: P384Key;
  /** Names this link in the keys of the links below it. */
  readonly id: number;
}

const LATIN1 = new TextDecoder('latin1');

/**
 * Remembers certificates that were verified under their issuers, so that a warm verification checks one signature. An
 * entry stands for the very bytes of a certificate below the very chain it was verified under; it saves parsing and the
 * signature, and nothing else: names, constraints, usages, revocation and the validity of every certificate of the whole
 * path are checked anew each time, so that an entry outlives nothing. Bounded: the least recently used entry goes first.
 */
export class LinkCache {
  readonly #links = new Map<string, VerifiedLink>();
  readonly #capacity: number;
  #nextId = 1;

  /** @param capacity most certificates remembered; 0 remembers none. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** How many certificates are remembered. */
  get size(): number {
    return this.#links.size;
  }

  /** The verified link of `encoded` below the link `issuerId` (0 for the root). */
  get(encoded: Uint8Array, issuerId: number): VerifiedLink | undefined {
    if (this.#links.size === 0) return undefined;
    const name = nameOf(encoded, issuerId);
    const link = this.#links.get(name);
    if (link === undefined) return undefined;
    this.#links.delete(name);
    this.#links.set(name, link);
    return link;
  }

  /** Remembers a certificate. Only ever called when every signature of its document was found to hold. */
  add(own: PathCertificate, key: P384Key, issuerId: number): VerifiedLink {
    // Two verifications of one chain may end at the same time: the second must not orphan what hangs below the first's.
    const known = this.get(own.certificate.encoded, issuerId);
    if (known !== undefined) return known;
    const link = { own, key, id: this.#nextId };
    this.#nextId += 1;
    this.#links.set(nameOf(own.certificate.encoded, issuerId), link);
    const oldest = this.#links.keys().next().value;
    if (this.#links.size > this.#capacity && oldest !== undefined) this.#links.delete(oldest);
    return link;
  }
}

/**
 * All of the certificate's bytes, and the link above: longer than a hash, and with no collision to look for. A certificate
 * that was moved below another issuer has another name. ("latin1" maps 0x80 to 0x9f as windows-1252 does: one to one.)
 */
function nameOf(encoded: Uint8Array, issuerId: number): string {
  return `${issuerId} ${LATIN1.decode(encoded)}`;
}
