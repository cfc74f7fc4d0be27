import { decodeHex } from '@nitro-enclaves/core';
import { AttestationError } from './error.ts';

/** Longest document that is looked at, in bytes. Genuine ones have 4 to 8 KiB, and a payload of at most 16 KiB. */
export const MAX_DOCUMENT_BYTES = 32_768;
/** Longest text that is decoded, in characters: hexadecimal takes two for each byte, line breaks and indents some more. */
const MAX_TEXT_LENGTH = 4 * MAX_DOCUMENT_BYTES;
/** How much of the input is looked at to tell what it is. */
const SAMPLE_BYTES = 256;

const HEX_TEXT = /^[0-9a-fA-F]+$/;
const BASE64_TEXT = /^[A-Za-z0-9+/_-]+={0,2}$/;

function refuseText(found: string, remedy: string): never {
  throw new AttestationError(
    'DOCUMENT_IS_TEXT',
    `expected an attestation document (binary COSE_Sign1), found ${found}: ${remedy}`,
  );
}

function refuseEmpty(): never {
  throw new AttestationError(
    'DOCUMENT_EMPTY',
    'expected an attestation document, found nothing at all: check what was read or received',
  );
}

function refuseLarge(limit: string, found: number): never {
  throw new AttestationError(
    'DOCUMENT_TOO_LARGE',
    `expected an attestation document of at most ${limit}, found ${found}: give the document alone`,
  );
}

/** Refuses texts that are no document in any encoding, each by its name. */
function expectNoOtherText(text: string): void {
  if (/^-----BEGIN /.test(text)) refuseText('a PEM text', 'give the document itself, not a certificate');
  if (/^[{["]/.test(text)) refuseText('a JSON text', 'take the value that holds the document out of it');
}

/** Refuses text, and says what it is and what to do: most input that is no document is text of some sort. */
function refuseTextOf(text: string): never {
  expectNoOtherText(text);
  const remedy = 'decode it first, or give it to readAttestationDocumentBytes';
  const dense = text.replace(/\s/g, '');
  if (HEX_TEXT.test(dense)) refuseText('hexadecimal text', remedy);
  if (BASE64_TEXT.test(dense)) refuseText('base64 text', remedy);
  return refuseText('other text', 'give the bytes that the NSM returned');
}

/** The beginning of `input` if all of it is text; a document begins with 84 or d2, which no text does. */
function sampleText(input: Uint8Array): string | undefined {
  const sample = input.subarray(0, SAMPLE_BYTES);
  const isText = sample.every((byte) => (byte >= 9 && byte <= 13) || (byte >= 32 && byte < 127));
  return isText ? String.fromCharCode(...sample).trim() : undefined;
}

/** Refuses what is plainly not a document, in a sentence that says what it is. Size first: nothing is done over a flood. */
export function expectDocumentBytes(input: Uint8Array): void {
  if (!(input instanceof Uint8Array)) {
    throw new AttestationError(
      'DOCUMENT_NOT_BYTES',
      `expected an attestation document as a Uint8Array, found ${typeof input}: readAttestationDocumentBytes takes text`,
    );
  }
  if (input.length === 0) refuseEmpty();
  if (input.length > MAX_DOCUMENT_BYTES) refuseLarge(`${MAX_DOCUMENT_BYTES} bytes`, input.length);
  const text = sampleText(input);
  if (text !== undefined) refuseTextOf(text);
}

/** Base64 of either alphabet, with or without padding. */
function decodeBase64(text: string): Uint8Array {
  const standard = text.replace(/-/g, '+').replace(/_/g, '/').replace(/=+$/, '');
  if (standard.length % 4 === 1) refuseText('base64 text that ends early', 'check that all of it was copied');
  return Uint8Array.from(atob(standard), (character) => character.charCodeAt(0));
}

function decodeText(input: string): Uint8Array {
  if (input.length > MAX_TEXT_LENGTH) refuseLarge(`${MAX_TEXT_LENGTH} characters of text`, input.length);
  const text = input.trim();
  if (text === '') return refuseEmpty();
  expectNoOtherText(text);
  const dense = text.replace(/\s/g, '');
  if (HEX_TEXT.test(dense)) {
    return dense.length % 2 === 0
      ? decodeHex(dense)
      : refuseText('an odd number of hexadecimal digits', 'check that all of it was copied');
  }
  return BASE64_TEXT.test(dense)
    ? decodeBase64(dense)
    : refuseText('other text', 'give the document as bytes, base64 or hexadecimal');
}

/**
 * The bytes of a document that may have been encoded for transport: binary, base64 (either alphabet, padded or not) or
 * hexadecimal, the text as a string or as bytes (of a file, say). Line breaks and blanks are passed over. Nothing is
 * verified, nor even parsed.
 * @throws {AttestationError} `DOCUMENT_EMPTY`, `DOCUMENT_TOO_LARGE`, `DOCUMENT_IS_TEXT` (a PEM, a JSON, base64 of base64 or
 *   any other text) or `DOCUMENT_NOT_BYTES`.
 */
export function readAttestationDocumentBytes(input: Uint8Array | string): Uint8Array {
  const bytes = typeof input === 'string' ? decodeText(input) : readBytes(input);
  const text = sampleText(bytes);
  if (text !== undefined) {
    expectNoOtherText(text);
    refuseText('text inside the text (base64 of base64?)', 'decode it once before');
  }
  expectDocumentBytes(bytes);
  return bytes;
}

/** Bytes as they are, or what the text in them stands for. */
function readBytes(input: Uint8Array): Uint8Array {
  if (!(input instanceof Uint8Array) || input.length === 0 || sampleText(input) === undefined) {
    expectDocumentBytes(input);
    return input;
  }
  if (input.length > MAX_TEXT_LENGTH) refuseLarge(`${MAX_TEXT_LENGTH} characters of text`, input.length);
  return decodeText(new TextDecoder().decode(input));
}
