import type { KmsPlace } from './arn.ts';
import { kmsArn, parseArn } from './arn.ts';
import type { KeySpec, KeyUsage } from './key-spec.ts';
import type { Policy } from './policy/document.ts';
import { parsePolicy } from './policy/document.ts';
import { KmsServiceError } from './service-error.ts';
import type { KeyRecord, KmsStore } from './store/store.ts';

/** States of keys that this emulator knows. */
export type KeyState = 'Enabled' | 'Disabled' | 'PendingDeletion';

/** A key, its policy parsed. */
export interface KmsKey extends KeyRecord {
  readonly arn: string;
  readonly parsedPolicy: Policy;
}

/** An alias and what it points to. */
export interface KmsAlias {
  /** Such as `alias/orders`. */
  readonly name: string;
  readonly arn: string;
  readonly keyId: string;
  /** In ms since the epoch. */
  readonly creationDate: number;
  readonly lastUpdatedDate: number;
}

/** Text that has to name a key in one of KMS's four ways. */
export interface KeyReference {
  readonly text: string;
  /** Whether an alias will do. */
  readonly allowAlias: boolean;
}

const KEY_ID = /^(?:mrk-[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

function notFound(message: string): KmsServiceError {
  return new KmsServiceError('NotFoundException', message);
}

/** All keys and aliases of one KMS: held in memory, written through to the store before any answer. */
export class KeyRing {
  readonly place: KmsPlace;
  readonly #store: KmsStore;
  readonly #clock: () => number;
  readonly #keys = new Map<string, KmsKey>();
  readonly #aliases = new Map<string, KmsAlias>();

  constructor(place: KmsPlace, store: KmsStore, clock: () => number) {
    this.place = place;
    this.#store = store;
    this.#clock = clock;
    const { keys, aliases } = store.load();
    for (const key of keys) this.#keys.set(key.keyId, this.#describeKey(key));
    for (const alias of aliases) this.#aliases.set(alias.name, this.#describeAlias(alias));
  }

  /** Keys in the order of their making. */
  get keys(): readonly KmsKey[] {
    this.#forgetDeleted();
    return [...this.#keys.values()];
  }

  /** Aliases in the order of their names. */
  get aliases(): readonly KmsAlias[] {
    this.#forgetDeleted();
    return [...this.#aliases.values()].sort((left, right) => (left.name < right.name ? -1 : 1));
  }

  /** Adds a key, or puts a changed one in place of the old. */
  save(key: KeyRecord): KmsKey {
    const described = this.#describeKey(key);
    this.#store.saveKey(key);
    this.#keys.set(key.keyId, described);
    return described;
  }

  saveAlias(alias: Omit<KmsAlias, 'arn'>): KmsAlias {
    const described = this.#describeAlias(alias);
    this.#store.saveAlias(alias);
    this.#aliases.set(alias.name, described);
    return described;
  }

  deleteAlias(name: string): void {
    this.#store.deleteAlias(name);
    this.#aliases.delete(name);
  }

  alias(name: string): KmsAlias | undefined {
    this.#forgetDeleted();
    return this.#aliases.get(name);
  }

  /** ARN of an alias, whether there is one or not. */
  aliasArn(name: string): string {
    return kmsArn(this.place, name);
  }

  /** The key with this id; `undefined` when there is none, or no longer. */
  get(keyId: string): KmsKey | undefined {
    this.#forgetDeleted();
    return this.#keys.get(keyId);
  }

  /**
   * The key that `text` names: id, ARN, alias name or alias ARN.
   * @throws {KmsServiceError} `NotFoundException`
   */
  resolve({ text, allowAlias }: KeyReference): KmsKey {
    const resource = this.#resourceOf(text);
    if (resource.startsWith('alias/')) {
      if (!allowAlias) throw notFound(`Invalid keyId '${text}'`);
      const alias = this.#aliases.get(resource);
      const key = alias && this.get(alias.keyId);
      if (key === undefined) throw notFound(`Alias ${this.aliasArn(resource)} is not found.`);
      return key;
    }
    const keyId = resource.replace(/^key\//, '');
    if (!KEY_ID.test(keyId)) throw notFound(`Invalid keyId '${text}'`);
    const key = this.get(keyId);
    if (key === undefined) throw notFound(`Key '${kmsArn(this.place, `key/${keyId}`)}' does not exist`);
    return key;
  }

  #resourceOf(text: string): string {
    if (!text.startsWith('arn:')) return text;
    const arn = parseArn(text);
    if (arn === null || arn.service !== 'kms') throw notFound(`Invalid arn ${text}`);
    if (arn.region !== this.place.region) throw notFound(`Invalid arn ${arn.region}`);
    if (arn.accountId === this.place.accountId) return arn.resource;
    throw notFound(`${arn.resource.startsWith('alias/') ? 'Alias' : 'Key'} '${text}' does not exist`);
  }

  #describeKey(key: KeyRecord): KmsKey {
    return { ...key, arn: kmsArn(this.place, `key/${key.keyId}`), parsedPolicy: parsePolicy(key.policy) };
  }

  #describeAlias(alias: Omit<KmsAlias, 'arn'>): KmsAlias {
    return { ...alias, arn: this.aliasArn(alias.name) };
  }

  /** Keys whose waiting period is over, and the aliases that point to them. What they encrypted is lost. */
  #forgetDeleted(): void {
    const now = this.#clock();
    for (const { keyId, deletionDate } of this.#keys.values()) {
      if (deletionDate === null || deletionDate > now) continue;
      for (const alias of [...this.#aliases.values()]) if (alias.keyId === keyId) this.deleteAlias(alias.name);
      this.#store.deleteKey(keyId);
      this.#keys.get(keyId)?.material.fill(0);
      this.#keys.delete(keyId);
    }
  }
}

/** Whether a key can be used, and if not, why. */
export function stateOf({ enabled, deletionDate }: KeyRecord): KeyState {
  if (deletionDate !== null) return 'PendingDeletion';
  return enabled ? 'Enabled' : 'Disabled';
}

/** @throws {KmsServiceError} `DisabledException`, `KMSInvalidStateException` */
export function expectUsable(key: KmsKey): void {
  const state = stateOf(key);
  if (state === 'Disabled') throw new KmsServiceError('DisabledException', `${key.arn} is disabled.`);
  if (state === 'PendingDeletion')
    throw new KmsServiceError('KMSInvalidStateException', `${key.arn} is pending deletion.`);
}

/** @throws {KmsServiceError} `InvalidKeyUsageException` */
export function expectUsage(key: KmsKey, usage: KeyUsage, action: string): void {
  if (key.keyUsage === usage) return;
  throw new KmsServiceError(
    'InvalidKeyUsageException',
    `${key.arn} key usage is ${key.keyUsage} which is not valid for ${action}.`,
  );
}

/** @throws {KmsServiceError} `InvalidKeyUsageException`: data keys are encrypted under symmetric keys only. */
export function expectSymmetric(key: KmsKey, action: string): void {
  const spec: KeySpec = key.keySpec;
  expectUsage(key, 'ENCRYPT_DECRYPT', action);
  if (spec === 'SYMMETRIC_DEFAULT') return;
  throw new KmsServiceError(
    'InvalidKeyUsageException',
    `${key.arn} key spec is ${spec} which is not valid for ${action}.`,
  );
}
