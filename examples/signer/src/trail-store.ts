import { open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { TrailEntry } from './audit-trail.ts';

/** What the parent keeps for an enclave without a disk. None of it is a secret. */
export interface StoredState {
  /** The private key under the KMS key, base64. */
  readonly sealedKey: string;
  readonly entries: readonly TrailEntry[];
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** The sealed key and the trail, as two files of a folder. */
export class TrailStore {
  readonly #key: string;
  readonly #trail: string;

  constructor(folder: string) {
    this.#key = join(folder, 'sealed-key');
    this.#trail = join(folder, 'trail.jsonl');
  }

  /** What there is; `undefined` before the first start. Half of it would have the enclave make another key: refused. */
  async read(): Promise<StoredState | undefined> {
    const [sealedKey, trail] = [await readText(this.#key), await readText(this.#trail)];
    if (sealedKey === undefined && trail === undefined) return undefined;
    if (sealedKey === undefined || trail === undefined)
      throw new Error(`expected both ${this.#key} and ${this.#trail}, found one of them`);
    const lines = trail.split('\n').filter(Boolean);
    return { sealedKey, entries: lines.map((line): TrailEntry => JSON.parse(line)) };
  }

  /** Appends entries; resolves when they are on the disk. */
  async append(entries: readonly TrailEntry[]): Promise<void> {
    const file = await open(this.#trail, 'a', 0o600);
    try {
      await file.writeFile(entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
      await file.sync();
    } finally {
      await file.close();
    }
  }

  /** Keeps the sealed key: all of it or nothing. */
  async writeKey(sealedKey: string): Promise<void> {
    const file = await open(`${this.#key}.new`, 'w', 0o600);
    try {
      await file.writeFile(sealedKey);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(`${this.#key}.new`, this.#key);
  }
}
