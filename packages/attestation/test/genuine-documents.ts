import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One genuine document and what is known of it. */
export interface GenuineDocument {
  readonly file: string;
  readonly bytes: Uint8Array;
  readonly timestamp: number;
  readonly moduleId: string;
  readonly payloadMap: 'definite' | 'indefinite';
  readonly pcrCount: number;
  readonly nonZeroPcrs: Readonly<Record<string, string>>;
  readonly debug: boolean;
  readonly publicKeyBytes: number | null;
  readonly userDataBytes: number | null;
  readonly nonceBytes: number | null;
  readonly kind: 'enclave' | 'nitrotpm';
}

interface IndexEntry extends Omit<GenuineDocument, 'bytes' | 'kind'> {
  readonly kind?: string;
}

/** Says what enables the tests that need genuine documents. */
export const NEEDS_VECTORS = 'needs genuine documents: set NITRO_VECTORS to a folder with attestation/index.json';

function folder(): string | undefined {
  const vectors = process.env['NITRO_VECTORS'];
  const attestation = vectors && join(vectors, 'attestation');
  return attestation && existsSync(join(attestation, 'index.json')) ? attestation : undefined;
}

function readDocuments(from: string): GenuineDocument[] {
  const entries: IndexEntry[] = JSON.parse(readFileSync(join(from, 'index.json'), 'utf8'));
  return entries.map((entry) => {
    const bytes = new Uint8Array(readFileSync(join(from, entry.file)));
    return { ...entry, bytes, kind: entry.kind === 'nitrotpm' ? 'nitrotpm' : 'enclave' };
  });
}

const from = folder();

/** The genuine documents that NITRO_VECTORS names; none without it. */
export const GENUINE: readonly GenuineDocument[] = from === undefined ? [] : readDocuments(from);
