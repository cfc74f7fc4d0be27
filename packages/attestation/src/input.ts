import type { AttestationErrorCode } from './error.ts';
import { AttestationError } from './error.ts';

/** Longest document that is looked at, in bytes. Genuine ones have 4 to 8 KiB, and a payload of at most 16 KiB. */
export const MAX_DOCUMENT_BYTES = 32_768;
/** Longest text that is decoded, in characters: hexadecimal takes two for each byte, line breaks and indents some more. */
const MAX_TEXT_LENGTH = 4 * MAX_DOCUMENT_BYTES;
/** How much of the input is looked at to tell what it is. */
const SAMPLE_BYTES = 256;

/** Refuses what is no document: says what it is and what to do. */
function refuse(code: AttestationErrorCode, found: unknown, remedy: string): never {
  throw new AttestationError(code, `expected an attestation document, found ${found}: ${remedy}`);
}

function refuseText(found: string, remedy: string): never {
  return refuse('DOCUMENT_IS_TEXT', found, remedy);
}

/** Size first: nothing is done over a flood. */
function expectSize(length: number, most: number, unit: string): void {
  if (length === 0) refuse('DOCUMENT_EMPTY', 'nothing', 'check what was read');
  if (length > most) {
    refuse('DOCUMENT_TOO_LARGE', `${length} ${unit}`, `give the document alone, at most ${most} ${unit}`);
  }
}

type Encoding = 'hexadecimal' | 'base64' | 'other';

/** Tells how text may encode a document; refuses what is plainly something else, by its name. */
function encodingOf(text: string): Encoding {
  if (/^-----BEGIN /.test(text)) refuseText('a PEM', 'give the document itself, not a certificate');
  if (/^[{["]/.test(text)) refuseText('JSON', 'take the value out of it');
  if (/^[0-9a-f\s]+$/i.test(text)) return 'hexadecimal';
  return /^[\w+/\s-]+={0,2}$/.test(text) ? 'base64' : 'other';
}

/** The beginning of `input` if all of it is text; a document begins with 84 or d2, which no text does. */
function sampleText(input: Uint8Array): string | undefined {
  if ((input[0] ?? 0) > 0x7e) return undefined;
  const sample = String.fromCharCode(...input.subarray(0, SAMPLE_BYTES));
  return /^[\t-\r -~]+$/.test(sample) ? sample.trim() : undefined;
}

/** Refuses what is plainly not a document, in a sentence that says what it is: most of it is text of some sort. */
export function expectDocumentBytes(input: Uint8Array): void {
  const remedy = 'give bytes, or text to readAttestationDocumentBytes';
  if (!(input instanceof Uint8Array)) refuse('DOCUMENT_NOT_BYTES', `${typeof input}, no Uint8Array`, remedy);
  expectSize(input.length, MAX_DOCUMENT_BYTES, 'bytes');
  const text = sampleText(input);
  if (text !== undefined) refuseText(`${encodingOf(text)} text`, remedy);
}

/** Decodes hexadecimal, or base64 of either alphabet, with or without padding. */
function decodeText(input: string): Uint8Array {
  expectSize(input.length, MAX_TEXT_LENGTH, 'characters');
  const text = input.trim();
  expectSize(text.length, MAX_TEXT_LENGTH, 'characters');
  const encoding = encodingOf(text);
  if (encoding === 'other') refuseText('other text', 'give the document as bytes, base64 or hexadecimal');
  const dense = text.replace(/[\s=]/g, '').replace(/-/g, '+').replace(/_/g, '/');
  const isHex = encoding === 'hexadecimal';
  // Whole bytes have an even number of hexadecimal digits; of base64, one character of four is no byte.
  if (isHex ? dense.length % 2 : dense.length % 4 === 1) {
    refuseText(`${encoding} text that ends early`, 'check that all of it was copied');
  }
  return isHex
    ? Uint8Array.from(dense.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16))
    : Uint8Array.from(atob(dense), (character) => character.charCodeAt(0));
}

/** Bytes as they are, or what the text in them stands for. */
function readBytes(input: Uint8Array): Uint8Array {
  if (!(input instanceof Uint8Array) || sampleText(input) === undefined) return input;
  expectSize(input.length, MAX_TEXT_LENGTH, 'characters');
  return decodeText(new TextDecoder().decode(input));
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
  const inner = bytes === input ? undefined : sampleText(bytes);
  if (inner !== undefined)
    refuseText(`${encodingOf(inner)} text inside the text (base64 of base64?)`, 'decode it once');
  expectDocumentBytes(bytes);
  return bytes;
}
