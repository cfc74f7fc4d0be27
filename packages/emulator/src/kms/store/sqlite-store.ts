import { closeSync, openSync } from 'node:fs';
import { resolve } from 'node:path';
import type { KmsPlace } from '../arn.ts';
import { EmulatedKmsError } from '../error.ts';
import type { KeySpec, KeyUsage } from '../key-spec.ts';
import { KEY_SPECS } from '../key-spec.ts';
import type { StoreOwnership } from './owner.ts';
import { takeOwnership } from './owner.ts';
import type { SqliteDatabase, SqliteRow } from './sqlite.ts';
import { openSqlite } from './sqlite.ts';
import type { AliasRecord, AuthorityRecord, KeyRecord, KmsStore } from './store.ts';

/** "EKMS": tells these files from all other databases (`PRAGMA application_id`). */
const APPLICATION_ID = 0x454b4d53;
const SCHEMA_VERSION = 1;

const SCHEMA = `
  BEGIN;
  CREATE TABLE kms_key (key_id TEXT PRIMARY KEY, record TEXT NOT NULL, material BLOB NOT NULL) STRICT;
  CREATE TABLE kms_alias (
    name TEXT PRIMARY KEY, key_id TEXT NOT NULL, creation_date REAL NOT NULL, last_updated_date REAL NOT NULL
  ) STRICT;
  CREATE TABLE kms_place (id INTEGER PRIMARY KEY CHECK (id = 1), region TEXT NOT NULL, account_id TEXT NOT NULL) STRICT;
  CREATE TABLE tls_authority (id INTEGER PRIMARY KEY CHECK (id = 1), certificate BLOB NOT NULL, private_key BLOB NOT NULL) STRICT;
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${SCHEMA_VERSION};
  COMMIT;
`;

function unusable(what: string, cause?: unknown): EmulatedKmsError {
  return new EmulatedKmsError(
    'KMS_STORE_UNUSABLE',
    `expected the store to be a file of an emulated KMS, found ${what}`,
    { cause },
  );
}

function pragma(database: SqliteDatabase, name: string): number {
  return Number(database.all(`PRAGMA ${name}`)[0]?.[name]);
}

/** Each statement is on the disk before it returns: `FULL` holds even when the machine loses power. */
function prepare(database: SqliteDatabase): void {
  database.exec('PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;');
  const [application, version] = [pragma(database, 'application_id'), pragma(database, 'user_version')];
  if (application === 0 && version === 0 && database.all('SELECT name FROM sqlite_master LIMIT 1').length === 0) {
    database.exec(SCHEMA);
    return;
  }
  if (application !== APPLICATION_ID) throw unusable('another database');
  if (version !== SCHEMA_VERSION) throw unusable(`one of version ${version} (this one is ${SCHEMA_VERSION})`);
}

function textOf(row: SqliteRow, name: string): string {
  const value = row[name];
  if (typeof value === 'string') return value;
  throw unusable(`no text in ${name}`);
}

function bytesOf(row: SqliteRow, name: string): Uint8Array {
  const value = row[name];
  if (value instanceof Uint8Array) return Uint8Array.from(value);
  throw unusable(`no bytes in ${name}`);
}

/** A key without its material, as JSON keeps it. */
interface KeyDetails {
  readonly keySpec: KeySpec;
  readonly keyUsage: KeyUsage;
  readonly description: string;
  readonly creationDate: number;
  readonly enabled: boolean;
  readonly deletionDate: number | null;
  readonly policy: string;
  readonly tags: Readonly<Record<string, string>>;
}

function isKeyDetails(value: unknown): value is KeyDetails {
  return (
    typeof value === 'object' &&
    value !== null &&
    'keySpec' in value &&
    Object.hasOwn(KEY_SPECS, String(value.keySpec)) &&
    'policy' in value
  );
}

function encodeDetails({
  keySpec,
  keyUsage,
  description,
  creationDate,
  enabled,
  deletionDate,
  policy,
  tags,
}: KeyRecord): string {
  const details: KeyDetails = { keySpec, keyUsage, description, creationDate, enabled, deletionDate, policy, tags };
  return JSON.stringify(details);
}

function parseDetails(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw unusable('a key that is not JSON', cause);
  }
}

function readKey(row: SqliteRow): KeyRecord {
  const details = parseDetails(textOf(row, 'record'));
  if (!isKeyDetails(details)) throw unusable('a key of an unknown kind');
  return { ...details, keyId: textOf(row, 'key_id'), material: bytesOf(row, 'material') };
}

function readAlias(row: SqliteRow): AliasRecord {
  return {
    name: textOf(row, 'name'),
    keyId: textOf(row, 'key_id'),
    creationDate: Number(row['creation_date']),
    lastUpdatedDate: Number(row['last_updated_date']),
  };
}

function readAuthority(row: SqliteRow | undefined): AuthorityRecord | null {
  return row === undefined
    ? null
    : { certificate: bytesOf(row, 'certificate'), privateKey: bytesOf(row, 'private_key') };
}

function readPlace(row: SqliteRow | undefined): KmsPlace | null {
  return row === undefined ? null : { region: textOf(row, 'region'), accountId: textOf(row, 'account_id') };
}

function storeOver(database: SqliteDatabase, release: () => void): KmsStore {
  return {
    load: () => ({
      keys: database.all('SELECT key_id, record, material FROM kms_key ORDER BY rowid').map(readKey),
      aliases: database.all('SELECT name, key_id, creation_date, last_updated_date FROM kms_alias').map(readAlias),
      authority: readAuthority(database.all('SELECT certificate, private_key FROM tls_authority')[0]),
      place: readPlace(database.all('SELECT region, account_id FROM kms_place')[0]),
    }),
    saveKey: (key) =>
      database.run(
        'INSERT INTO kms_key VALUES (?, ?, ?) ON CONFLICT (key_id) DO UPDATE SET record = excluded.record, material = excluded.material',
        [key.keyId, encodeDetails(key), key.material],
      ),
    deleteKey: (keyId) => database.run('DELETE FROM kms_key WHERE key_id = ?', [keyId]),
    saveAlias: ({ name, keyId, creationDate, lastUpdatedDate }) =>
      database.run('INSERT OR REPLACE INTO kms_alias VALUES (?, ?, ?, ?)', [
        name,
        keyId,
        creationDate,
        lastUpdatedDate,
      ]),
    deleteAlias: (name) => database.run('DELETE FROM kms_alias WHERE name = ?', [name]),
    saveAuthority: ({ certificate, privateKey }) =>
      database.run('INSERT OR REPLACE INTO tls_authority VALUES (1, ?, ?)', [certificate, privateKey]),
    savePlace: ({ region, accountId }) =>
      database.run('INSERT OR REPLACE INTO kms_place VALUES (1, ?, ?)', [region, accountId]),
    close: () => {
      database.close();
      release();
    },
  };
}

async function openPrepared(file: string): Promise<SqliteDatabase> {
  // Keys lie in this file: whoever reads it has them all.
  closeSync(openSync(file, 'a', 0o600));
  const database = await openSqlite(file);
  try {
    prepare(database);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function own(file: string): StoreOwnership {
  try {
    return takeOwnership(file);
  } catch (error) {
    throw error instanceof EmulatedKmsError ? error : unusable('a place that cannot be written to', error);
  }
}

/**
 * Opens or makes a store in one SQLite file. Beside it, for as long as it is open, lies `FILE.owner`.
 * @throws {EmulatedKmsError} `KMS_STORE_IN_USE`, `KMS_STORE_UNUSABLE`
 */
export async function openSqliteStore(path: string): Promise<KmsStore> {
  const file = resolve(path);
  const ownership = own(file);
  try {
    return storeOver(await openPrepared(file), ownership.release);
  } catch (error) {
    ownership.release();
    throw error instanceof EmulatedKmsError ? error : unusable('one that cannot be opened', error);
  }
}
