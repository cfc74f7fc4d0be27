import type { CborValue } from '@nitro-enclaves/core';
import { CborError, CoseError, decodeCbor, decodeCoseSign1, encodeHex } from '@nitro-enclaves/core';

/** What the enclave's own document says of the enclave: for explanations and for the clock, never a verdict. */
export interface OwnDocument {
  /** When the NSM made it, in ms since the epoch. */
  readonly timestamp: number;
  /** The PCRs that are not zero, as lower-case hexadecimal by index. */
  readonly pcrs: ReadonlyMap<number, string>;
  /** Whether PCR0 is zero, as it is in debug mode; NitroTPM documents have no such mode. */
  readonly debugMode: boolean;
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

/** Reads a document that came from the enclave's own NSM; `undefined` when it is of no form known here: KMS is its judge. */
export function readOwnDocument(document: Uint8Array): OwnDocument | undefined {
  try {
    const payload = decodeCbor(decodeCoseSign1(document).payload);
    if (!(payload instanceof Map)) return undefined;
    const timestamp = payload.get('timestamp');
    const pcrs = readPcrs(payload.get('pcrs') ?? payload.get('nitrotpm_pcrs'));
    if (typeof timestamp !== 'number') return undefined;
    return { timestamp, pcrs, debugMode: payload.has('pcrs') && !pcrs.has(0) };
  } catch (error) {
    if (error instanceof CborError || error instanceof CoseError) return undefined;
    throw error;
  }
}
