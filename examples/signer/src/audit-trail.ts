import { createHash, type KeyObject, sign, verify } from 'node:crypto';
import { canonicalJson } from './canonical-json.ts';
import { SignerError } from './error.ts';
import type { Statement } from './statement.ts';
import { statementBytes } from './statement.ts';

/** What happened. */
export type TrailEvent =
  /** An enclave opened the key. Two entries that follow the same entry are a fork: the parent went back in time. */
  | { readonly kind: 'start'; readonly moduleId: string }
  | ({ readonly kind: 'signed'; readonly signature: string } & Statement)
  | ({ readonly kind: 'refused'; readonly code: string } & Statement);

/** One entry of the trail. */
export interface TrailEntry {
  /** 0, 1, 2, … */
  readonly sequence: number;
  /** By the enclave's clock, ISO 8601. */
  readonly time: string;
  readonly event: TrailEvent;
  /** Hash of the entry before, SHA-256, hexadecimal; zeros before the first. */
  readonly previous: string;
  /** Signature of the signing key over all of the above, base64. */
  readonly seal: string;
}

/** What the first entry follows. */
export const BEFORE_THE_FIRST: string = '0'.repeat(64);

/** Hash of an entry, its seal included: SHA-256, hexadecimal. */
export function hashOf(entry: TrailEntry): string {
  return createHash('sha256').update(canonicalJson(entry)).digest('hex');
}

function sealedBytes({ sequence, time, event, previous }: Omit<TrailEntry, 'seal'>): Uint8Array {
  return Buffer.from(`nitro-enclaves signer trail\n${canonicalJson({ sequence, time, event, previous })}`);
}

function isSealed(entry: TrailEntry, publicKey: KeyObject): boolean {
  return verify('sha256', sealedBytes(entry), publicKey, Buffer.from(entry.seal, 'base64'));
}

/** Entries that an enclave keeps for a parent that missed them. */
const MAX_KEPT = 10_000;

/** The trail as the enclave writes it: it has no disk, so it keeps the head, and the parent keeps the entries. */
export class AuditTrail {
  readonly #key: KeyObject;
  #kept: TrailEntry[] = [];
  #next = 0;
  #head = BEFORE_THE_FIRST;

  constructor(key: KeyObject) {
    this.#key = key;
  }

  /** Hash of the newest entry. */
  get head(): string {
    return this.#head;
  }

  /**
   * Goes on after `last`, of an enclave before this one.
   * @throws {SignerError} `TRAIL_SEAL` unless this key sealed it.
   */
  continueAfter(last: TrailEntry, publicKey: KeyObject): void {
    if (!isSealed(last, publicKey))
      throw new SignerError('TRAIL_SEAL', 'expected the last entry of this trail, found another');
    this.#next = last.sequence + 1;
    this.#head = hashOf(last);
  }

  /** Writes an entry; before this nobody gets what it is about. */
  append(event: TrailEvent): TrailEntry {
    const unsealed = { sequence: this.#next, time: new Date().toISOString(), event, previous: this.#head };
    const entry = { ...unsealed, seal: sign('sha256', sealedBytes(unsealed), this.#key).toString('base64') };
    this.#next += 1;
    this.#head = hashOf(entry);
    this.#kept.push(entry);
    if (this.#kept.length > MAX_KEPT) this.#kept = this.#kept.slice(-MAX_KEPT / 2);
    return entry;
  }

  /** The entries from number `sequence` on that are still kept, at most `most` of them. */
  since(sequence: number, most: number): readonly TrailEntry[] {
    return this.#kept.filter((entry) => entry.sequence >= sequence).slice(0, most);
  }
}

function expectSigned({ event, sequence }: TrailEntry, publicKey: KeyObject): void {
  if (event.kind !== 'signed') return;
  if (verify('sha256', statementBytes(event), publicKey, Buffer.from(event.signature, 'base64'))) return;
  throw new SignerError('SIGNATURE', `entry ${sequence}: expected a signature of the signing key`);
}

/**
 * Verifies a trail, whoever kept it, up to the head that an attestation document binds. Gives the number of entries that it
 * covers; later ones may follow.
 * @throws {SignerError} `TRAIL_SEQUENCE` an entry is missing, doubled or moved; `TRAIL_LINK` or `TRAIL_SEAL` one was changed;
 * `TRAIL_HEAD` the end was cut off, or it is another trail; `SIGNATURE`
 */
export function verifyTrail(
  entries: readonly TrailEntry[],
  { publicKey, head }: { readonly publicKey: KeyObject; readonly head: string },
): number {
  let [previous, covered] = [BEFORE_THE_FIRST, 0];
  for (const [index, entry] of entries.entries()) {
    if (entry.sequence !== index)
      throw new SignerError('TRAIL_SEQUENCE', `expected entry ${index}, found number ${entry.sequence}`);
    if (entry.previous !== previous)
      throw new SignerError('TRAIL_LINK', `entry ${index}: expected it to follow the entry before it`);
    if (!isSealed(entry, publicKey)) throw new SignerError('TRAIL_SEAL', `entry ${index}: expected the enclave's seal`);
    expectSigned(entry, publicKey);
    previous = hashOf(entry);
    if (previous === head) covered = index + 1;
  }
  if (covered > 0) return covered;
  throw new SignerError(
    'TRAIL_HEAD',
    `expected the attested entry in a trail of ${entries.length}: its end was cut off`,
  );
}
