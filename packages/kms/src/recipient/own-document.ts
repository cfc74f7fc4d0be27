import type { CborMap, CborValue } from '@nitro-enclaves/core';
import { CborError, CoseError, decodeCbor, decodeCoseSign1, encodeHex } from '@nitro-enclaves/core';

/** What the enclave's own document says of the enclave: for explanations, never a verdict. */
export interface OwnDocument {
  /** Whether it is an instance's with NitroTPM, which key policies know by other names than an enclave's. */
  readonly isNitroTpm: boolean;
  /** The PCRs that are not zero, as lower-case hexadecimal by index. */
  readonly pcrs: ReadonlyMap<number, string>;
  /** Whether PCR0 is zero, as it is in debug mode; NitroTPM documents have no such mode. */
  readonly debugMode: boolean;
}

/** The payload of a document that came from the enclave's own NSM; `undefined` when it is of no form known here. */
function readPayload(document: Uint8Array): CborMap | undefined {
  try {
    const payload = decodeCbor(decodeCoseSign1(document).payload);
    return payload instanceof Map ? payload : undefined;
  } catch (error) {
    // KMS is its judge.
    if (error instanceof CborError || error instanceof CoseError) return undefined;
    throw error;
  }
}

function readPcrs(values: CborValue): Map<number, string> {
  const pcrs = new Map<number, string>();
  if (!(values instanceof Map)) return pcrs;
  for (const [index, value] of values) {
    if (typeof index === 'number' && value instanceof Uint8Array && value.some((byte) => byte !== 0))
      pcrs.set(index, encodeHex(value));
  }
  return pcrs;
}

/** When the NSM made the document, in ms since the epoch; `undefined` when it does not say. */
export function readTimestamp(document: Uint8Array): number | undefined {
  const timestamp = readPayload(document)?.get('timestamp');
  return typeof timestamp === 'number' ? timestamp : undefined;
}

/** What a document says of its enclave; `undefined` when it is of no form known here. */
export function readOwnDocument(document: Uint8Array): OwnDocument | undefined {
  const payload = readPayload(document);
  if (payload === undefined) return undefined;
  const isNitroTpm = payload.has('nitrotpm_pcrs');
  const pcrs = readPcrs(payload.get(isNitroTpm ? 'nitrotpm_pcrs' : 'pcrs') ?? null);
  return { isNitroTpm, pcrs, debugMode: !isNitroTpm && !pcrs.has(0) };
}
