import type { KmsPlace } from '../arn.ts';
import type { KeySpec, KeyUsage } from '../key-spec.ts';

/** A key as it is kept. Times are in ms since the epoch. */
export interface KeyRecord {
  /** A UUID. */
  readonly keyId: string;
  readonly keySpec: KeySpec;
  readonly keyUsage: KeyUsage;
  readonly description: string;
  readonly creationDate: number;
  readonly enabled: boolean;
  /** When it will be deleted; `null` unless that is scheduled. */
  readonly deletionDate: number | null;
  /** The key policy, JSON, as it was put. */
  readonly policy: string;
  readonly tags: Readonly<Record<string, string>>;
  /** 32 bytes for AES, PKCS #8 (DER) for pairs. */
  readonly material: Uint8Array;
}

/** An alias as it is kept. */
export interface AliasRecord {
  readonly name: string;
  readonly keyId: string;
  readonly creationDate: number;
  readonly lastUpdatedDate: number;
}

/** The certificate authority of the HTTPS endpoint as it is kept, so that clients can go on trusting it. */
export interface AuthorityRecord {
  /** DER. */
  readonly certificate: Uint8Array;
  /** PKCS #8, DER. */
  readonly privateKey: Uint8Array;
}

/** Everything that a store holds. */
export interface StoredState {
  readonly keys: readonly KeyRecord[];
  readonly aliases: readonly AliasRecord[];
  readonly authority: AuthorityRecord | null;
  /** Where the keys live: their ciphertexts are bound to it. */
  readonly place: KmsPlace | null;
}

/** Where keys survive. Every change is safe on return: a process that is killed right after loses nothing. */
export interface KmsStore {
  load(): StoredState;
  saveKey(key: KeyRecord): void;
  deleteKey(keyId: string): void;
  saveAlias(alias: AliasRecord): void;
  deleteAlias(name: string): void;
  saveAuthority(authority: AuthorityRecord): void;
  savePlace(place: KmsPlace): void;
  close(): void;
}

/** Keeps nothing: the keys live as long as the process. */
export const MEMORY_STORE: KmsStore = {
  load: () => ({ keys: [], aliases: [], authority: null, place: null }),
  saveKey: () => {},
  deleteKey: () => {},
  saveAlias: () => {},
  deleteAlias: () => {},
  saveAuthority: () => {},
  savePlace: () => {},
  close: () => {},
};
