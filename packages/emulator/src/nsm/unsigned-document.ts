import { encodePayload, encodeValue } from '../pki/document.ts';

const NOTHING = new Uint8Array(64);
/** {1: -1}, which names no algorithm. */
const PROTECTED_HEADER = Uint8Array.of(0xa1, 0x01, 0x20);

/** A document as QEMU's nitro-enclave machine makes them: everything in its place, and nothing signed. */
export function createUnsignedDocument(fields: ReadonlyMap<unknown, unknown>): Uint8Array {
  const payload = encodePayload(new Map([...fields, ['certificate', NOTHING], ['cabundle', [NOTHING]]]), 'definite');
  return encodeValue([PROTECTED_HEADER, new Map(), payload, NOTHING]);
}
