import type { CborMap, CborValue } from '@nitro-enclaves/core';
import { decodeCbor, decodeCoseSign1, encodeHex } from '@nitro-enclaves/core';
import type { DocumentClaims } from './document.ts';

function expectMap(value: CborValue | undefined, what: string): CborMap {
  if (value instanceof Map) return value;
  throw new Error(`expected ${what} to be a map`);
}

function readPcrs(values: CborMap): Record<number, string> {
  const pcrs: Record<number, string> = {};
  for (const [index, value] of values) {
    if (typeof index !== 'number' || !(value instanceof Uint8Array))
      throw new Error('expected PCRs of bytes by number');
    pcrs[index] = encodeHex(value);
  }
  return pcrs;
}

/**
 * What a document claims, with nobody to vouch for it: QEMU's NSM signs with zeros under an algorithm that is none, so that
 * only the frame and the fields that KMS uses can be read.
 */
export function readUnsignedDocument(encoded: Uint8Array): DocumentClaims {
  const payload = expectMap(decodeCbor(decodeCoseSign1(encoded).payload), 'the payload');
  const moduleId = payload.get('module_id');
  const publicKey = payload.get('public_key') ?? null;
  if (typeof moduleId !== 'string') throw new Error('expected module_id to be text');
  if (publicKey !== null && !(publicKey instanceof Uint8Array))
    throw new Error('expected public_key to be bytes or null');
  const kind = payload.has('nitrotpm_pcrs') ? 'nitrotpm' : 'enclave';
  const pcrs = readPcrs(expectMap(payload.get(kind === 'enclave' ? 'pcrs' : 'nitrotpm_pcrs'), 'the PCRs'));
  return { kind, moduleId, pcrs, publicKey };
}
