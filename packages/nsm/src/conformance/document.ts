import assert from 'node:assert/strict';
import type { CborMap } from '@nitro-enclaves/core';
import { decodeCbor } from '@nitro-enclaves/core';

/** Longest attestation document: the payload may be 16 KiB, the envelope adds its header and a signature. */
const LIMITS = { maxBytes: 20_000, rootTag: 18 };

/**
 * The payload of an attestation document, its envelope passed over: signatures are the verifier's affair, and some modules
 * (QEMU's) do not sign.
 */
export function payloadOf(document: Uint8Array): CborMap {
  const envelope = decodeCbor(document, LIMITS);
  assert.ok(Array.isArray(envelope) && envelope.length === 4, 'expected a COSE_Sign1 array of four');
  const payload = envelope[2];
  assert.ok(payload instanceof Uint8Array, 'expected the payload to be a byte string');
  const fields = decodeCbor(payload, LIMITS);
  assert.ok(fields instanceof Map, 'expected the payload to be a map');
  return fields;
}

/** The PCRs that a payload lists. */
export function pcrsOf(payload: CborMap): Map<number, Uint8Array> {
  const listed = payload.get('pcrs');
  assert.ok(listed instanceof Map, 'expected pcrs to be a map');
  const pcrs = new Map<number, Uint8Array>();
  for (const [index, value] of listed) {
    assert.ok(typeof index === 'number', `expected the index of a PCR, found ${index}`);
    assert.ok(value instanceof Uint8Array, `expected PCR${index} to be a byte string`);
    pcrs.set(index, value);
  }
  return pcrs;
}
