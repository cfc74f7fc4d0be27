import { concatBytes } from '@nitro-enclaves/core';
import { encodeEcdsaSignature } from '../pki/der-writer.ts';
import { bytesOf, flipBit } from './edit.ts';
import type { Flaw } from './flaw.ts';
import { flaw } from './flaw.ts';
import { STRANGER } from './path-flaws.ts';

/** Names of {@link SIGNATURE_FLAWS}. */
export type SignatureFlawName =
  | 'signature-short'
  | 'signature-long'
  | 'signature-der'
  | 'signature-zeros'
  | 'signature-s-too-large'
  | 'signature-by-stranger'
  | 'signature-changed'
  | 'payload-changed-after-signing'
  | 'payload-encoding-changed-after-signing';

const HALF = 48;

/** What is wrong with the signature of the document. */
export const SIGNATURE_FLAWS: Readonly<Record<SignatureFlawName, Flaw>> = {
  'signature-short': flaw('The signature has 95 bytes', 'SIGNATURE_LENGTH', {
    signature: (signature) => signature.subarray(1),
  }),
  'signature-long': flaw('The signature has 97 bytes', 'SIGNATURE_LENGTH', {
    signature: (signature) => concatBytes(signature, bytesOf(0)),
  }),
  'signature-der': flaw('The signature is DER', 'SIGNATURE_LENGTH', { signature: encodeEcdsaSignature }),
  'signature-zeros': flaw('The signature is nothing but zeros', 'SIGNATURE_RANGE', {
    signature: ({ length }) => new Uint8Array(length),
  }),
  'signature-s-too-large': flaw('The signature has an s beyond the group order', 'SIGNATURE_RANGE', {
    signature: (signature) => concatBytes(signature.subarray(0, HALF), new Uint8Array(HALF).fill(0xff)),
  }),
  'signature-by-stranger': flaw('The document is signed by a stranger', 'SIGNATURE', { signer: STRANGER }),
  'signature-changed': flaw('One bit of the signature is another', 'SIGNATURE', {
    signature: (signature) => flipBit(signature, -1),
  }),
  'payload-changed-after-signing': flaw('One bit of a PCR was changed after the document was signed', 'SIGNATURE', {
    elements: (elements) => ({ ...elements, payload: flipFirstPcr(elements.payload as Uint8Array) }),
  }),
  'payload-encoding-changed-after-signing': flaw('The payload was encoded again after it was signed', 'SIGNATURE', {
    elements: (elements) => ({ ...elements, payload: encodeOtherwise(elements.payload as Uint8Array) }),
  }),
};

function flipFirstPcr(payload: Uint8Array): Uint8Array {
  const head = Buffer.from(payload).indexOf(bytesOf(0x00, 0x58, 0x30));
  return flipBit(payload, head + 3);
}

const FIELDS = 9;

/** The same nine fields, their map definite if it was indefinite and the reverse. */
function encodeOtherwise(payload: Uint8Array): Uint8Array {
  if (payload[0] === 0xbf) return concatBytes(bytesOf(0xa0 + FIELDS), payload.subarray(1, -1));
  return concatBytes(bytesOf(0xbf), payload.subarray(1), bytesOf(0xff));
}
