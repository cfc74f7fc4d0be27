import { randomUUID } from 'node:crypto';
import { partitionOf } from './arn.ts';
import { EmulatedKmsError } from './error.ts';
import { generateMaterial, isMaterialOf } from './key-material.ts';
import type { KeyRing } from './key-ring.ts';
import type { KeySpec, KeyUsage } from './key-spec.ts';
import { KEY_SPECS } from './key-spec.ts';
import { defaultKeyPolicy } from './operations/key-policies.ts';
import type { PolicyInput } from './policy/document.ts';
import { parsePolicy } from './policy/document.ts';

/** A key that an emulated KMS has from the start. */
export interface InitialKey {
  /** A UUID. Default: a random one. */
  readonly keyId?: string;
  /** Such as `alias/orders`. */
  readonly alias?: string;
  /** The key policy. Default: everything to the account. */
  readonly policy?: PolicyInput;
  /** Default `SYMMETRIC_DEFAULT`. */
  readonly keySpec?: KeySpec;
  /** Default: the first use of the spec. */
  readonly keyUsage?: KeyUsage;
  readonly description?: string;
  readonly tags?: Readonly<Record<string, string>>;
  /** The key itself, for tests that need the same one each time: 32 bytes for AES, PKCS #8 (DER) for pairs. Default: fresh. */
  readonly material?: Uint8Array;
}

function expectUsage({ keySpec = 'SYMMETRIC_DEFAULT', keyUsage }: InitialKey): KeyUsage {
  const [first = 'ENCRYPT_DECRYPT', ...others] = KEY_SPECS[keySpec].usages;
  const usage = [first, ...others].find((one) => keyUsage === undefined || one === keyUsage);
  if (usage !== undefined) return usage;
  throw new EmulatedKmsError('KMS_OPTION', `expected a use that ${keySpec} has, found ${keyUsage}`);
}

/** A copy: the ring zeroes its keys when they are deleted. */
function expectMaterial(material: Uint8Array, keySpec: KeySpec): Uint8Array {
  if (isMaterialOf(material, keySpec)) return Uint8Array.from(material);
  throw new EmulatedKmsError('KMS_OPTION', `expected material of the spec ${keySpec}`);
}

function policyTextOf({ policy }: InitialKey, { place }: KeyRing): string {
  const input = policy ?? defaultKeyPolicy({ accountId: place.accountId, partition: partitionOf(place.region) });
  parsePolicy(input);
  return typeof input === 'string' ? input : JSON.stringify(input);
}

function isThere({ keyId, alias }: InitialKey, keys: KeyRing): boolean {
  return (
    (keyId !== undefined && keys.get(keyId) !== undefined) || (alias !== undefined && keys.alias(alias) !== undefined)
  );
}

function expectNames({ keyId, alias }: InitialKey): void {
  if (keyId !== undefined && !/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(keyId)) {
    throw new EmulatedKmsError('KMS_OPTION', 'expected keyId to be a UUID in lower case');
  }
  if (alias !== undefined && !/^alias\/[a-zA-Z0-9/_-]+$/.test(alias)) {
    throw new EmulatedKmsError('KMS_OPTION', 'expected alias to be such as alias/orders');
  }
}

/** Of two keys of one name the first would be all that there is, its policy in place of the other's. */
function expectDistinct(initial: readonly InitialKey[]): void {
  const names = initial.flatMap(({ keyId, alias }) => [keyId, alias]).filter((name) => name !== undefined);
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated === undefined) return;
  throw new EmulatedKmsError('KMS_OPTION', `expected ${repeated} to be the name of one key, found it twice`);
}

/** A KMS that was killed after it had made the key has made no alias for it. */
function ensureAlias({ keyId, alias }: InitialKey, keys: KeyRing, now: number): void {
  if (keyId === undefined || alias === undefined || keys.alias(alias) !== undefined) return;
  keys.saveAlias({ name: alias, keyId, creationDate: now, lastUpdatedDate: now });
}

/**
 * Makes the keys that are not there yet.
 * @throws {EmulatedKmsError} `KMS_OPTION`
 * @throws {KeyPolicyError}
 */
export async function ensureInitialKeys(keys: KeyRing, initial: readonly InitialKey[], now: number): Promise<void> {
  expectDistinct(initial);
  for (const key of initial) {
    expectNames(key);
    if (isThere(key, keys)) {
      ensureAlias(key, keys, now);
      continue;
    }
    const { keyId = randomUUID(), keySpec = 'SYMMETRIC_DEFAULT', description = '', tags = {}, alias } = key;
    const [keyUsage, policy] = [expectUsage(key), policyTextOf(key, keys)];
    const material =
      key.material === undefined ? await generateMaterial(keySpec) : expectMaterial(key.material, keySpec);
    keys.save({
      keyId,
      keySpec,
      keyUsage,
      description,
      tags,
      policy,
      material,
      creationDate: now,
      enabled: true,
      deletionDate: null,
    });
    if (alias !== undefined) keys.saveAlias({ name: alias, keyId, creationDate: now, lastUpdatedDate: now });
  }
}
