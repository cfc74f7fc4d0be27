import { AttestationError } from './error.ts';

/** Longest document that is looked at, in bytes. Genuine ones have 4 to 8 KiB, and a payload of at most 16 KiB. */
export const MAX_DOCUMENT_BYTES = 32_768;

const TEXT_KINDS: readonly { pattern: RegExp; found: string; remedy: string }[] = [
  { pattern: /^-----BEGIN /, found: 'a PEM text', remedy: 'give the document itself, not a certificate' },
  { pattern: /^\s*[{[]/, found: 'a JSON text', remedy: 'take the document out of it and decode it to bytes' },
  { pattern: /^[0-9a-fA-F\s]+$/, found: 'hexadecimal text', remedy: 'decode it to bytes first' },
  { pattern: /^[A-Za-z0-9+/_=\s-]+$/, found: 'base64 text', remedy: 'decode it to bytes first (perhaps twice)' },
];

/** Refuses what is plainly not a document, in a sentence that says what it is: most bad input is text. */
export function expectDocumentBytes(input: Uint8Array): void {
  if (!(input instanceof Uint8Array)) {
    throw new AttestationError(
      'DOCUMENT_NOT_BYTES',
      `expected an attestation document as a Uint8Array, found ${typeof input}`,
    );
  }
  if (input.length === 0) {
    throw new AttestationError(
      'DOCUMENT_EMPTY',
      'expected an attestation document, found no bytes at all: check what was read or received',
    );
  }
  if (input.length > MAX_DOCUMENT_BYTES) {
    throw new AttestationError(
      'DOCUMENT_TOO_LARGE',
      `expected an attestation document of at most ${MAX_DOCUMENT_BYTES} bytes, found ${input.length}: give the document alone`,
    );
  }
  expectNotText(input);
}

function expectNotText(input: Uint8Array): void {
  const start = input.subarray(0, 256);
  if (!start.every((byte) => byte === 9 || byte === 10 || byte === 13 || (byte >= 32 && byte < 127))) return;
  const text = String.fromCharCode(...start);
  const kind = TEXT_KINDS.find(({ pattern }) => pattern.test(text));
  const found = kind?.found ?? 'other text';
  const remedy = kind?.remedy ?? 'give the bytes that the NSM returned';
  throw new AttestationError(
    'DOCUMENT_IS_TEXT',
    `expected an attestation document (binary COSE_Sign1), found ${found}: ${remedy}`,
  );
}
