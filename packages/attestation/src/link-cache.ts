import type { PathCertificate } from './certificate-path.ts';
import type { P384Key } from './crypto.ts';

/** A certificate whose signature by the one above was verified, up to the trust anchor. */
export interface VerifiedLink {
  readonly own: PathCertificate;
  readonly key: P384Key;
  /** Names this link in the keys of the links below it. */
  readonly id: number;
}

/** Content of a certificate as a text that no other certificate shares. */
function fingerprint(encoded: Uint8Array): string {
  return String.fromCharCode.apply(null, encoded as unknown as number[]);
}

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

  /** @param capacity most certificates remembered; about 2 KiB each. 0 remembers none. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** The verified link of `encoded` below the link `issuerId` (0 for the root). */
  get(encoded: Uint8Array, issuerId: number): VerifiedLink | undefined {
    const name = `${issuerId} ${fingerprint(encoded)}`;
    const link = this.#links.get(name);
    if (link === undefined) return undefined;
    this.#links.delete(name);
    this.#links.set(name, link);
    return link;
  }

  /** Remembers a certificate. Only ever called when the whole document was found genuine. */
  add(own: PathCertificate, key: P384Key, issuerId: number): VerifiedLink {
    const link = { own, key, id: this.#nextId };
    this.#nextId += 1;
    if (this.#capacity === 0) return link;
    this.#links.set(`${issuerId} ${fingerprint(own.certificate.encoded)}`, link);
    const oldest = this.#links.keys().next().value;
    if (this.#links.size > this.#capacity && oldest !== undefined) this.#links.delete(oldest);
    return link;
  }
}
